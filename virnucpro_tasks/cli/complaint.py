"""Printing an error."""

from __future__ import annotations

import sys

import click

from virnucpro_tasks.cli.log_file import log
from virnucpro_tasks.cli.terminal_text import fitted
from virnucpro_tasks.errors import printable


def complain(text: str) -> None:
    """Print an error on standard error, with the name of the program before it, and log it."""
    log(text, level="ERROR")
    click.echo(fitted(f"virnucpro: error: {printable(text)}", sys.stderr), err=True)

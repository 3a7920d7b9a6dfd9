"""Printing an error."""

from __future__ import annotations

import click

from virnucpro_tasks.errors import printable


def complain(text: str) -> None:
    """Print an error on standard error, with the name of the program before it."""
    click.echo(f"virnucpro: error: {printable(text)}", err=True)

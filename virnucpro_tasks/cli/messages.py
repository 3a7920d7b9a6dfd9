"""Printing: JSON on standard output, messages for a person on standard error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from virnucpro_tasks.models.bundle import Bundle


def print_json(content: Any) -> None:
    """Print `content` as indented JSON on standard output."""
    click.echo(json.dumps(content, indent=2))


def say(text: str, *, quiet: bool = False) -> None:
    """Print a message for a person on standard error, unless `quiet`."""
    if not quiet:
        click.echo(text, err=True)


def bundle_line(bundle: Bundle) -> str:
    """One line that names the models of a bundle."""
    description = bundle.description
    return f"{description.label}: {description.nucleotide_model} + {description.protein_model}, {description.head}"


def warn_of_chunk_length(chunk_length: int | None, bundle: Bundle, *, quiet: bool = False) -> None:
    """Warn if the chunks are not as long as those that the head was trained on; the original allows it too."""
    trained = bundle.description.chunk_length
    if bundle.description.has_head and chunk_length not in (None, trained):
        say(f"warning: chunks of {chunk_length} bases, but the head was trained on {trained}", quiet=quiet)

"""Text for a terminal: broken between words, where a terminal itself breaks lines within them."""

from __future__ import annotations

import os
import textwrap
from typing import TextIO

USUAL_COLUMNS = 80
"""Width of a terminal that does not say it."""


def columns(stream: TextIO) -> int:
    """The present width of the terminal; COLUMNS makes it narrower, since a line must not wrap."""
    wished = os.environ.get("COLUMNS", "")
    try:
        present = os.get_terminal_size(stream.fileno()).columns or USUAL_COLUMNS
    except (OSError, ValueError):
        present = USUAL_COLUMNS
    # COLUMNS=0 says that the width is unknown.
    return min(present, int(wished)) if wished.isdecimal() and int(wished) else present


def fitted(text: str, stream: TextIO, *, hanging: int = 0) -> str:
    """`text` with its lines broken between words where `stream` is a terminal; elsewhere as it is.

    What is broken off a line is indented as the line is, and `hanging` characters more.
    """
    if not stream.isatty():
        return text
    # One column is left free: some terminals wrap a line that fills the last one.
    return "\n".join(part for line in text.split("\n") for part in broken(line, columns(stream) - 1, hanging=hanging))


def broken(line: str, width: int, *, hanging: int = 0) -> list[str]:
    """A line as lines of at most `width` characters; a longer word stays whole."""
    if len(line) <= width:
        return [line]
    indent = len(line) - len(line.lstrip(" "))
    return textwrap.wrap(
        line.strip(" "),
        max(width, 1),
        initial_indent=" " * min(indent, width // 2),
        subsequent_indent=" " * min(indent + hanging, width // 2),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [line]

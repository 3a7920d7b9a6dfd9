"""How values are written in result tables."""

from __future__ import annotations

import re

NOT_AVAILABLE = b"NA"
SEPARATOR = b"\t"

_QUOTED = re.compile(rb'^[=+\-@]|["\t\r\n]')
"""Quotes and separators would break the table, the leading signs make a spreadsheet compute."""


def text_field(content: bytes) -> bytes:
    """`content`, put between double quotes (as the csv module does) where a reader or a spreadsheet needs them."""
    if _QUOTED.search(content):
        return b'"' + content.replace(b'"', b'""') + b'"'
    return content


def score_field(score: float) -> bytes:
    """A probability with six significant digits; NA for NaN."""
    return b"%.6g" % score if score == score else NOT_AVAILABLE


def table_line(*fields: bytes) -> bytes:
    """One line of a table, with its line end."""
    return SEPARATOR.join(fields) + b"\n"


def header_line(names: tuple[str, ...]) -> bytes:
    """The first line of a table."""
    return table_line(*(name.encode() for name in names))

"""Formats of the values in result tables: each function writes a column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.reads.tables import Status

NOT_AVAILABLE = b"NA"
SEPARATOR = b"\t"
LINE_END = b"\n"

_QUOTED = re.compile(rb'^[=+\-@]|["\t\r\n]')
"""Quotes and separators would break the table, the leading signs make a spreadsheet compute."""

_QUOTED_START = re.compile(rb"\n[=+\-@]")
_SEPARATORS = (b'"', b"\t", b"\r")

_QUOTED_IN_CSV = re.compile(rb'["\t\r\n]')

_MATES = (NOT_AVAILABLE, b"1", b"2")
_SMALL = tuple(b"%d" % value for value in range(1_000))
_SMALL_TEXTS = np.array(_SMALL, object)
_CALLS = {False: b"others", True: b"virus", None: NOT_AVAILABLE}


def text_field(content: bytes) -> bytes:
    """`content`, put between double quotes (as the csv module does) where a reader or a spreadsheet needs them."""
    return _quoted(content) if _QUOTED.search(content) else content


def _quoted(content: bytes) -> bytes:
    return b'"' + content.replace(b'"', b'""') + b'"'


def texts(values: Iterable[bytes]) -> list[bytes]:
    """Texts, quoted where needed."""
    values = list(values)
    # All at once first: in most columns none needs quotes.
    lines = _as_lines(values)
    if _are_plain(lines, len(values)) and not _QUOTED_START.search(lines):
        return values
    return [text_field(value) for value in values]


def csv_texts(values: Iterable[bytes]) -> list[bytes]:
    """Texts, quoted where a reader of CSV needs it; programs that split lines at tabs read all others unchanged."""
    values = list(values)
    if _are_plain(_as_lines(values), len(values)):
        return values
    return [_quoted(value) if _QUOTED_IN_CSV.search(value) else value for value in values]


def _as_lines(values: Iterable[bytes]) -> bytes:
    """The values, a line each, all begun by a line end."""
    return b"".join((LINE_END, LINE_END.join(values)))


def _are_plain(lines: bytes, count: int) -> bool:
    """Whether so many lines hold no quotes and no separators."""
    return lines.count(LINE_END) == count and not any(letter in lines for letter in _SEPARATORS)


def repeated_texts(values: Sequence[bytes]) -> list[bytes]:
    """Format a column like `texts`, faster where it has few different values."""
    written = {value: text_field(value) for value in set(values)}
    return [written[value] for value in values]


def integers(values: Iterable[int]) -> list[bytes]:
    """Whole numbers."""
    return [_SMALL[value] if 0 <= value < len(_SMALL) else b"%d" % value for value in values]


def counts(values: npt.NDArray[np.int64]) -> list[bytes]:
    """Whole numbers of at least 0, most of them small."""
    return _SMALL_TEXTS[values].tolist() if values.max(initial=0) < len(_SMALL) else integers(values.tolist())


def integer_texts(texts: list[bytes]) -> list[bytes]:
    """Whole numbers that are written already."""
    return texts


def score_texts(texts: list[bytes]) -> list[bytes]:
    """Probabilities that are written already, as `scores` does it."""
    return texts


def fraction_texts(texts: list[bytes]) -> list[bytes]:
    """Shares of a whole that are written already, as `fractions` does it."""
    return texts


def mates(values: Iterable[int]) -> list[bytes]:
    """1 or 2 for a read of a pair, NA for 0."""
    return [_MATES[value] for value in values]


def fractions(values: Iterable[float]) -> list[bytes]:
    """Shares of a whole, with four decimals."""
    return [b"%.4f" % value for value in values]


def scores(values: Iterable[float]) -> list[bytes]:
    """Probabilities with six significant digits; NA for NaN."""
    return [b"%.6g" % value if value == value else NOT_AVAILABLE for value in values]


def calls(values: Iterable[bool | None]) -> list[bytes]:
    """virus for True, others for False, NA for None."""
    return [_CALLS[value] for value in values]


def statuses(values: Iterable[Status]) -> list[bytes]:
    """Statuses by name."""
    return [value.encode() for value in values]


def names(values: Iterable[StrEnum | None]) -> list[bytes]:
    """Members of an enumeration by name; NA for None."""
    return [NOT_AVAILABLE if value is None else value.encode() for value in values]


def table_lines(*columns: Iterable[bytes]) -> list[bytes]:
    """The lines of a table from its columns, without their ends."""
    return joined(SEPARATOR, *columns)


def joined(separator: bytes, *columns: Iterable[bytes]) -> list[bytes]:
    """The values of several columns with a separator between them: in half of the time that a format takes."""
    return list(map(separator.join, zip(*columns, strict=True)))


def text_of(lines: Iterable[bytes]) -> bytes:
    """Lines as one text, in which each has its end."""
    return LINE_END.join([*lines, b""])


def header_line(names: Iterable[str]) -> bytes:
    """The first line of a table."""
    return SEPARATOR.join(name.encode() for name in names) + LINE_END

"""Aligned columns of text, as wide as a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

GAP = "  "
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its heading and a text for each row; what stands in `ends` behind a text is not cut off.

    It is never narrower than `least` cells, or its widest text; where there is no room for all columns, those of the
    highest `rank` are left out. Numbers stand at the right.
    """

    heading: str
    texts: Sequence[str]
    least: int
    rank: int = 0
    is_number: bool = False
    ends: Sequence[str] = ()

    @property
    def widest(self) -> int:
        ends = self.ends or [""] * len(self.texts)
        return max(cell_len(text) for text in [self.heading, *map("".join, zip(self.texts, ends, strict=True))])

    def rows(self, width: int) -> Iterator[str]:
        """The heading and the texts, each `width` cells wide; a text that is cut ends in an ellipsis."""
        yield self._padded(self.heading, "", width)
        for text, end in zip(self.texts, self.ends or [""] * len(self.texts), strict=True):
            yield self._padded(text, end, width)

    def _padded(self, text: str, end: str, width: int) -> str:
        room = max(0, width - cell_len(end))
        if cell_len(text) > room:
            text = set_cell_size(text, max(0, room - 1)) + _CUT
        padding = " " * (width - cell_len(text + end))
        return padding + text + end if self.is_number else text + end + padding

    @property
    def narrowest(self) -> int:
        return min(self.least, self.widest)


def aligned(columns: Sequence[Column], *, width: int) -> Iterator[str]:
    """The lines of a table of `columns`, headings first, at most `width` cells wide; cut texts end in an ellipsis."""
    columns = _fitting(columns, width)
    widths = _widths(columns, width)
    for cells in zip(*(column.rows(size) for column, size in zip(columns, widths, strict=True)), strict=True):
        yield GAP.join(cells).rstrip()


def _fitting(columns: Sequence[Column], width: int) -> list[Column]:
    left = list(columns)
    while len(left) > 1 and _total([column.narrowest for column in left]) > width:
        left.remove(max(left, key=lambda column: column.rank))
    return left


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """The width of each column: what is left over goes to the most important ones first."""
    widths = [column.narrowest for column in columns]
    free = width - _total(widths)
    for place in sorted(range(len(columns)), key=lambda place: columns[place].rank):
        more = max(0, min(free, columns[place].widest - widths[place]))
        widths[place] += more
        free -= more
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)

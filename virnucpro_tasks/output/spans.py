"""Files with a line for each span of chunks in a record, such as a region.

The first and the last span of a shard may change with the chunks of the shards beside it. So they are kept as values,
while the lines of all others are written with the shard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.table import Lines, Table, TableStyle

Span = TypeVar("Span")


@dataclass(frozen=True, slots=True)
class SpanFiles(Generic[Span]):
    """The files of one kind of spans.

    `spans_of` gives the spans of some rows in order. `settle` takes two neighbours, of which the second may lie in the
    next shard: it gives the first as it is then, or None if it became part of the second, and the second.
    """

    tables: tuple[Table[Sequence[Span]], ...]
    spans_of: Callable[[ScoredRows], list[Span]]
    settle: Callable[[Span, Span], tuple[Span | None, Span]]

    def part(self, rows: ScoredRows, style: TableStyle) -> SpanPart:
        """Write out the spans of a shard but for the first and the last."""
        spans = self.spans_of(rows)
        return SpanPart(tuple(spans[:1]), self.lines(spans[1:-1], style), tuple(spans[1:][-1:]))

    def lines(self, spans: Sequence[Span], style: TableStyle) -> Lines:
        """The lines of complete spans."""
        return {file: lines for table in self.tables for file, lines in table.part(spans, style).items()}


@dataclass(frozen=True, slots=True)
class SpanPart:
    """The contribution of one shard to the files of one kind: `lines` between its `first` and its `last` span."""

    first: tuple[Any, ...]
    lines: Lines
    last: tuple[Any, ...]


class SpanMerger(Generic[Span]):
    """Takes the parts of a job's shards in order and gives the lines of all spans. Keeps one span at most."""

    def __init__(self, files: SpanFiles[Span], style: TableStyle) -> None:
        self._files = files
        self._style = style
        self._open: Span | None = None

    def add(self, part: SpanPart) -> Iterable[Lines]:
        """The lines of all spans before the last one of `part`."""
        yield self._files.lines(self._settled(part.first), self._style)
        if part.last:
            yield self.end()
            yield part.lines
            self._open = part.last[0]

    def end(self) -> Lines:
        """The lines of the last span."""
        complete = [] if self._open is None else [self._open]
        self._open = None
        return self._files.lines(complete, self._style)

    def _settled(self, spans: Iterable[Span]) -> list[Span]:
        complete = []
        for span in spans:
            if self._open is not None:
                settled, span = self._files.settle(self._open, span)
                complete += [] if settled is None else [settled]
            self._open = span
        return complete

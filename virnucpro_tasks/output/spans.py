"""Files with a line for each span of chunks in a record, such as a region.

The first and the last span of a shard may change with the chunks of the shards beside it. So they are kept as values,
while the lines of all others are written with the shard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.table import Lines, Table, TableStyle


class Sliced(Protocol):
    """Spans in order: a list, or columns that are cut alike."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: slice, /) -> Any: ...


Spans = TypeVar("Spans", bound=Sliced)


@dataclass(frozen=True, slots=True)
class SpanFiles(Generic[Spans]):
    """The files of one kind of spans.

    `spans_of` gives the spans of some rows in order. `settle` takes two neighbours, of which the second may lie in the
    next shard, each as a single one: it gives the first as it is then, or none if it became part of the second, and the
    second. The tables are written from what `written` makes of spans, once for all.
    """

    tables: tuple[Table[Any], ...]
    spans_of: Callable[[ScoredRows], Spans]
    settle: Callable[[Spans, Spans], tuple[Spans, Spans]]
    written: Callable[[Spans, TableStyle], Any] = lambda spans, style: spans

    def part(self, rows: ScoredRows, style: TableStyle) -> SpanPart:
        """Write out the spans of a shard but for the first and the last."""
        spans = self.spans_of(rows)
        return SpanPart(spans[:1], self.lines(spans[1:-1], style), spans[1:][-1:])

    def lines(self, spans: Spans, style: TableStyle) -> Lines:
        """The lines of complete spans."""
        written = self.written(spans, style)
        return {file: lines for table in self.tables for file, lines in table.part(written, style).items()}


@dataclass(frozen=True, slots=True)
class SpanPart:
    """The contribution of one shard to the files of one kind: `lines` between its `first` and its `last` span.

    Either may be missing.
    """

    first: Any
    lines: Lines
    last: Any


class SpanMerger(Generic[Spans]):
    """Takes the parts of a job's shards in order and gives the lines of all spans. Keeps one span at most."""

    def __init__(self, files: SpanFiles[Spans], style: TableStyle) -> None:
        self._files = files
        self._style = style
        self._open: Spans | None = None

    def add(self, part: SpanPart) -> Iterable[Lines]:
        """The lines of all spans before the last one of `part`."""
        yield self._files.lines(self._settled(part.first), self._style)
        if len(part.last):
            yield self.end()
            yield part.lines
            self._open = part.last

    def end(self) -> Lines:
        """The lines of the last span."""
        if self._open is None:
            return {}
        complete, self._open = self._open, None
        return self._files.lines(complete, self._style)

    def _settled(self, first: Spans) -> Spans:
        """The spans that the first one of a shard completes; that one is kept open."""
        if not len(first):
            return first
        if self._open is None:
            complete: Spans = first[:0]
        else:
            complete, first = self._files.settle(self._open, first)
        self._open = first
        return complete

"""Files with a line for each span of chunks in a record, such as a region.

The first and the last span of a shard may change with the chunks of the shards beside it. So they are kept as values
beside their lines, which are written anew if they change.
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
        """Write out the spans of a shard, the first and the last apart."""
        spans = self.spans_of(rows)
        written = self.written(spans, style)
        lines = {table.file(style): table.written(written, style) for table in self.tables}

        def at(places: slice) -> Lines:
            return {file: some.pieces(places) for file, some in lines.items()}

        return SpanPart(
            first=EdgeSpan(spans[:1], at(slice(1))),
            lines=at(slice(1, -1)),
            last=EdgeSpan(spans[1:][-1:], at(slice(max(1, len(spans) - 1), None))),
        )

    def lines(self, spans: Spans, style: TableStyle) -> Lines:
        """The lines of complete spans."""
        if not len(spans):
            return {}
        written = self.written(spans, style)
        return {table.file(style): table.written(written, style).pieces(slice(None)) for table in self.tables}


@dataclass(frozen=True, slots=True)
class EdgeSpan:
    """The first or the last span of a shard, of its kind, or none; and its lines, None if another shard changed it."""

    span: Any
    lines: Lines | None


@dataclass(frozen=True, slots=True)
class SpanPart:
    """The contribution of one shard to the files of one kind: `lines` between its `first` and its `last` span.

    Either may be missing.
    """

    first: EdgeSpan
    lines: Lines
    last: EdgeSpan


class SpanMerger(Generic[Spans]):
    """Takes the parts of a job's shards in order and gives the lines of all spans. Keeps one span at most."""

    def __init__(self, files: SpanFiles[Spans], style: TableStyle) -> None:
        self._files = files
        self._style = style
        self._open: EdgeSpan | None = None

    def add(self, part: SpanPart) -> Iterable[Lines]:
        """The lines of all spans before the last one of `part`."""
        if len(part.first.span):
            yield self._settled(part.first)
        if len(part.last.span):
            yield self.end()
            yield part.lines
            self._open = part.last

    def end(self) -> Lines:
        """The lines of the last span."""
        complete, self._open = self._open, None
        return {} if complete is None else self._lines(complete)

    def _settled(self, first: EdgeSpan) -> Lines:
        """The lines of the span that the first one of a shard completes; that one is kept open."""
        before, self._open = self._open, first
        if before is None:
            return {}
        complete, following = self._files.settle(before.span, first.span)
        if following is not first.span:
            self._open = EdgeSpan(following, None)
        return self._lines(before if complete is before.span else EdgeSpan(complete, None))

    def _lines(self, complete: EdgeSpan) -> Lines:
        return self._files.lines(complete.span, self._style) if complete.lines is None else complete.lines

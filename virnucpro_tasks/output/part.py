"""Lines of all tables for one shard: a pure function of the shard, so that any process can write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.fields import LINE_END
from virnucpro_tasks.output.record_numbers import RecordColumns, RecordNumbers
from virnucpro_tasks.output.records import RecordSummary, WrittenRecords, record_summaries
from virnucpro_tasks.output.scored import ScoredRows, ScoredShard
from virnucpro_tasks.output.sequences import VIRUS_SEQUENCES
from virnucpro_tasks.output.spans import SpanPart
from virnucpro_tasks.output.table import Lines, TableStyle
from virnucpro_tasks.output.tables import RECORD_TABLES, SHARD_TABLES, SPAN_FILES
from virnucpro_tasks.shards.engine_stats import EngineStats


@dataclass(frozen=True, slots=True)
class ShardPart:
    """All that one shard adds to the tables and the report; with a sample sheet to those of its `sample`.

    `lines` are those of SHARD_TABLES. `record_lines` are those of RECORD_TABLES for the records that lie in this shard
    as a whole, and `counts` counts these; `first` and `last` may go on in other shards. `spans` are by kind, in the
    order of SPAN_FILES. `stats` are of the engine that computed its vectors. `numbers` are those of the same records,
    if there is a page to show them.
    """

    lines: Lines
    record_lines: Lines
    counts: ResultCounts
    first: tuple[RecordSummary, ...]
    last: tuple[RecordSummary, ...]
    spans: tuple[SpanPart, ...]
    stats: EngineStats
    sample: str = ""
    numbers: RecordNumbers | None = None


def shard_part(shard: ScoredShard, style: TableStyle) -> ShardPart:
    """Write out everything of `shard` but the records at its edges."""
    rows = ScoredRows.of(shard)
    records = list(record_summaries(rows))
    inner = written_records(records[1:-1], style, RecordColumns.of_rows(rows) if style.has_page else None)
    return ShardPart(
        lines=merged_lines(table.part(rows, style) for table in SHARD_TABLES),
        record_lines=inner.lines,
        counts=inner.counts,
        first=tuple(records[:1]),
        last=tuple(records[1:][-1:]),
        spans=tuple(files.part(rows, style) for files in SPAN_FILES),
        stats=shard.stats,
        sample=style.sample,
        numbers=inner.numbers,
    )


@dataclass(frozen=True, slots=True)
class Addition:
    """The next piece of the tables: lines, what they count, and numbers of records for a page, if it shows any."""

    lines: Lines
    counts: ResultCounts = field(default_factory=ResultCounts)
    numbers: RecordNumbers | None = None


def written_records(
    records: Sequence[RecordSummary], style: TableStyle, columns: RecordColumns | None = None
) -> Addition:
    """Lines of RECORD_TABLES for complete records, how many there are of each kind, and their numbers.

    For the numbers, `columns` of the records save time.
    """
    written = WrittenRecords.of(records, style)
    counts = ResultCounts()
    counts.count_records(written, input_names=style.input_names, chunk_length=style.chunk_length)
    lines = merged_lines(table.part(written, style) for table in RECORD_TABLES)
    counts.sequences = sum(piece.count(LINE_END) for piece in lines.get(VIRUS_SEQUENCES.file(style), ()))
    return Addition(lines, counts, RecordNumbers.of(written, columns) if style.has_page else None)


def merged_lines(parts: Iterable[Lines]) -> Lines:
    """The lines of several tables."""
    return {file: lines for part in parts for file, lines in part.items()}

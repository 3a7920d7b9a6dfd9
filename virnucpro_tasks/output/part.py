"""Lines of all tables for one shard: a pure function of the shard, so that any process can write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.records import RecordSummary, record_summaries
from virnucpro_tasks.output.scored import ScoredRows, ScoredShard
from virnucpro_tasks.output.table import TableStyle
from virnucpro_tasks.output.tables import RECORD_TABLES, SHARD_TABLES
from virnucpro_tasks.shards.engine_stats import EngineStats

Lines = dict[str, list[bytes]]
"""Lines by the file that they go to, in input order; a list may hold several lines in one piece."""


@dataclass(frozen=True, slots=True)
class ShardPart:
    """All that one shard adds to the tables and the report.

    `lines` are those of SHARD_TABLES. `record_lines` are those of RECORD_TABLES for the records that lie in this shard
    as a whole, and `counts` counts these; `first` and `last` may go on in other shards. `stats` are of the engine that
    computed its vectors.
    """

    lines: Lines
    record_lines: Lines
    counts: ResultCounts
    first: tuple[RecordSummary, ...]
    last: tuple[RecordSummary, ...]
    stats: EngineStats


def shard_part(shard: ScoredShard, style: TableStyle) -> ShardPart:
    """Write out everything of `shard` but the records at its edges."""
    rows = ScoredRows.of(shard)
    records = list(record_summaries(rows))
    record_lines, counts = written_records(records[1:-1], style)
    return ShardPart(
        lines={table.name: table.part(rows, style) for table in SHARD_TABLES},
        record_lines=record_lines,
        counts=counts,
        first=tuple(records[:1]),
        last=tuple(records[1:][-1:]),
        stats=shard.stats,
    )


def written_records(records: Sequence[RecordSummary], style: TableStyle) -> tuple[Lines, ResultCounts]:
    """Lines of RECORD_TABLES for complete records, and how many there are of each kind."""
    counts = ResultCounts()
    for record in records:
        counts.count_record(record, input_name=style.input_names[record.input_ordinal], chunk_length=style.chunk_length)
    return {table.name: table.part(records, style) for table in RECORD_TABLES}, counts

"""One shard's part of all tables, as text: a pure function of the shard, so that any process can make it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import fsencode

from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.fields import text_field
from virnucpro_tasks.output.legacy import chunk_lines, frame_lines
from virnucpro_tasks.output.records import RecordSummary, record_summaries
from virnucpro_tasks.output.scored import ScoredRows, ScoredShard
from virnucpro_tasks.output.tables import chunk_rows, record_row
from virnucpro_tasks.shards.engine_stats import EngineStats


@dataclass(frozen=True, slots=True)
class TableStyle:
    """What a job's tables have in common.

    `dialect` is original or broad, `input_names` are by input ordinal, `model_label` stands in every row,
    `chunk_length` is in bases.
    """

    dialect: str
    input_names: Sequence[str]
    model_label: str
    chunk_length: int


@dataclass(frozen=True, slots=True)
class ShardPart:
    """What one shard adds to the tables and the report.

    `chunk_rows` and `frame_lines` are lines of chunks.tsv and prediction_results.txt, `chunk_lines` those of
    prediction_results_highestscore.csv, each in input order. `record_rows` are the lines of records.tsv for the
    records that lie in this shard as a whole, and `counts` counts these; `first` and `last` may go on in other shards.
    `stats` are of the engine that computed its vectors.
    """

    chunk_rows: bytes
    frame_lines: bytes
    chunk_lines: list[bytes]
    first: tuple[RecordSummary, ...]
    record_rows: bytes
    counts: ResultCounts
    last: tuple[RecordSummary, ...]
    stats: EngineStats


def shard_part(shard: ScoredShard, style: TableStyle) -> ShardPart:
    """Write out everything of `shard` but the records at its edges."""
    rows = ScoredRows.of(shard)
    records = list(record_summaries(rows))
    inside, counts = written_records(records[1:-1], style)
    return ShardPart(
        chunk_rows=chunk_rows(rows, model=text_field(style.model_label.encode())),
        frame_lines=frame_lines(rows, dialect=style.dialect),
        chunk_lines=chunk_lines(rows, dialect=style.dialect),
        first=tuple(records[:1]),
        record_rows=inside,
        counts=counts,
        last=tuple(records[1:][-1:]),
        stats=shard.stats,
    )


def written_records(records: Sequence[RecordSummary], style: TableStyle) -> tuple[bytes, ResultCounts]:
    """Lines of records.tsv for complete records, and how many there are of each kind."""
    ordinals = {record.input_ordinal for record in records}
    names = {ordinal: text_field(fsencode(style.input_names[ordinal])) for ordinal in ordinals}
    model = text_field(style.model_label.encode())
    counts = ResultCounts()
    for record in records:
        counts.count_record(record, input_name=style.input_names[record.input_ordinal], chunk_length=style.chunk_length)
    lines = (record_row(record, input_name=names[record.input_ordinal], model=model) for record in records)
    return b"".join(lines), counts

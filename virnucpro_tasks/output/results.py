"""All tables of a finished job, written shard by shard in constant memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from virnucpro_tasks.output.classic import CHUNKS_FILE, FRAMES_FILE, ClassicWriter
from virnucpro_tasks.output.records import RecordRoll, RecordSummary
from virnucpro_tasks.output.scored import ScoredRows, ScoredShard
from virnucpro_tasks.output.tables import TableWriter
from virnucpro_tasks.reads.record import shown
from virnucpro_tasks.reads.tables import Status

RECORDS_FILE = "records.tsv"
CHUNK_TABLE_FILE = "chunks.tsv"
PROBLEMS_KEPT = 10
DEMONSTRATION_FILE = "DEMONSTRATION.txt"
DEMONSTRATION_TEXT = """\
The scores and calls in this folder come from a demonstration bundle: a tiny model for trying the software out.
Do not draw conclusions from them. This holds for prediction_results.txt and prediction_results_highestscore.csv
too, whose columns leave no room to say so.
"""


@dataclass(slots=True)
class ResultCounts:
    """What the tables hold. `records` and `chunks` count by status; `virus_records` are called virus.

    `short_records` are scored but shorter than half a chunk. `problems` tells of the first PROBLEMS_KEPT records that
    are invalid or quarantined, each with its input, its id, escaped, and the reason.
    """

    records: Counter[Status] = field(default_factory=Counter)
    chunks: Counter[Status] = field(default_factory=Counter)
    frames: int = 0
    virus_records: int = 0
    virus_chunks: int = 0
    short_records: int = 0
    problems: list[str] = field(default_factory=list)

    def count_record(self, record: RecordSummary, *, input_name: str, chunk_length: int) -> None:
        self.records[record.status] += 1
        self.chunks[Status.SCORED] += record.scored_chunks
        self.chunks[Status.NO_OPEN_FRAME] += record.no_open_frame_chunks
        self.chunks[Status.QUARANTINED] += record.quarantined_chunks
        self.frames += record.frames
        self.virus_records += record.is_virus
        self.virus_chunks += record.virus_chunks
        self.short_records += record.status == Status.SCORED and 2 * record.length < chunk_length
        is_problem = record.status == Status.INVALID or record.quarantined_chunks > 0
        if is_problem and len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(f"{input_name}, record {shown(record.record_id)!r}: {record.note}")


def write_results(
    shards: Iterable[ScoredShard],
    directory: Path,
    *,
    dialect: str,
    input_names: Sequence[str],
    model_label: str,
    demonstration: bool,
    chunk_length: int,
) -> ResultCounts:
    """Write records.tsv, chunks.tsv and the two classic files into `directory` and count what they hold.

    Rows are in input order whatever the shards are; the bytes do not depend on where shards were cut. `input_names`
    are by input ordinal, `dialect` is original or broad, `chunk_length` is in bases.
    """
    counts, roll = ResultCounts(), RecordRoll()
    with (
        (directory / RECORDS_FILE).open("wb") as records,
        (directory / CHUNK_TABLE_FILE).open("wb") as chunk_table,
        (directory / FRAMES_FILE).open("wb") as frames,
        (directory / CHUNKS_FILE).open("wb") as chunks,
    ):
        tables = TableWriter.begin(records, chunk_table, input_names=input_names, model_label=model_label)
        classic = ClassicWriter(frames, chunks, dialect=dialect, folder=directory)

        def write_records(complete: Iterable[RecordSummary]) -> None:
            for record in complete:
                tables.write_record(record)
                name = input_names[record.input_ordinal]
                counts.count_record(record, input_name=name, chunk_length=chunk_length)

        for shard in shards:
            rows = ScoredRows.of(shard)
            tables.write_chunks(rows)
            classic.add(rows)
            write_records(roll.add(rows))
        write_records(roll.end())
        classic.end()
    if demonstration:
        (directory / DEMONSTRATION_FILE).write_text(DEMONSTRATION_TEXT)
    return counts

"""All tables of a finished job, written part by part in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.fields import header_line
from virnucpro_tasks.output.legacy import CHUNKS_FILE, CHUNKS_HEADERS, FRAMES_FILE, FRAMES_HEADER, ORIGINAL
from virnucpro_tasks.output.part import ShardPart, TableStyle, written_records
from virnucpro_tasks.output.records import RecordMerger
from virnucpro_tasks.output.sorted_lines import SortedLines
from virnucpro_tasks.output.tables import CHUNK_COLUMNS, RECORD_COLUMNS

RECORDS_FILE = "records.tsv"
CHUNK_TABLE_FILE = "chunks.tsv"
DEMONSTRATION_FILE = "DEMONSTRATION.txt"
DEMONSTRATION_TEXT = """\
The scores and calls in this folder come from a demonstration bundle: a tiny model for trying the software out.
Do not draw conclusions from them. This holds for prediction_results.txt and prediction_results_highestscore.csv
too, whose columns leave no room to say so.
"""


def count_embedded(parts: Iterable[ShardPart], style: TableStyle) -> ResultCounts:
    """Count the records and chunks of a job whose bundle has no head: `scored` ones have vectors, none is called."""
    counts = ResultCounts()
    for _, _, counted in _with_records(parts, style):
        counts.add(counted)
    counts.virus_records = counts.virus_chunks = 0
    return counts


def write_results(
    parts: Iterable[ShardPart], directory: Path, style: TableStyle, *, demonstration: bool
) -> ResultCounts:
    """Write records.tsv, chunks.tsv and the two classic files into `directory` and count what they hold.

    `parts` are those of all shards, made in the same style. Rows are in input order whatever the shards are; the bytes
    do not depend on where shards were cut.
    """
    counts = ResultCounts()
    by_id = SortedLines(directory) if style.dialect == ORIGINAL else None
    with (
        (directory / RECORDS_FILE).open("wb") as records,
        (directory / CHUNK_TABLE_FILE).open("wb") as chunk_table,
        (directory / FRAMES_FILE).open("wb") as frames,
        (directory / CHUNKS_FILE).open("wb") as chunks,
    ):
        records.write(header_line(RECORD_COLUMNS))
        chunk_table.write(header_line(CHUNK_COLUMNS))
        frames.write(FRAMES_HEADER)
        chunks.write(CHUNKS_HEADERS[style.dialect])
        for part, lines, counted in _with_records(parts, style):
            records.write(lines)
            counts.add(counted)
            if part is not None:
                chunk_table.write(part.chunk_rows)
                frames.write(part.frame_lines)
                by_id.extend(part.chunk_lines) if by_id else chunks.writelines(part.chunk_lines)
        if by_id:
            chunks.writelines(by_id.lines())
    if demonstration:
        (directory / DEMONSTRATION_FILE).write_text(DEMONSTRATION_TEXT)
    return counts


def _with_records(
    parts: Iterable[ShardPart], style: TableStyle
) -> Iterator[tuple[ShardPart | None, bytes, ResultCounts]]:
    """Each part with lines and counts of the records that are complete with it; None with those of the last one."""
    roll = RecordMerger()
    for part in parts:
        lines, counts = written_records([*roll.add(part.first), *(roll.end() if part.last else ())], style)
        if part.last:
            lines += part.record_rows
            counts.add(part.counts)
            list(roll.add(part.last))
        yield part, lines, counts
    yield None, *written_records(list(roll.end()), style)

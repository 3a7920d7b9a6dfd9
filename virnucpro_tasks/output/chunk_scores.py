"""chunk_scores.bedgraph, column by column: the score of every scored chunk along its record, in input order.

Neighbouring chunks overlap, intervals of a bedGraph may not: bases that two scored chunks share are given to the later
one, so that the interval of a chunk begins where the chunk does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import compress

import numpy as np

from virnucpro_tasks.output.fields import integer_texts, score_texts
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.sequence_names import bed_names
from virnucpro_tasks.output.spans import SpanFiles
from virnucpro_tasks.output.table import Column, table_of


@dataclass(frozen=True, slots=True)
class ScoredIntervals:
    """Bases of n scored chunks, column by column, n each.

    `ordinals` are the numbers of their records, from 0; `starts`, `ends` and `scores`, their means of P(virus), are
    texts as they are written.
    """

    ordinals: list[int]
    record_ids: list[bytes]
    chunks: list[int]
    starts: list[bytes]
    ends: list[bytes]
    scores: list[bytes]

    def __len__(self) -> int:
        return len(self.record_ids)

    def __getitem__(self, places: slice) -> ScoredIntervals:
        return ScoredIntervals(*(getattr(self, column.name)[places] for column in fields(self)))


def scored_intervals(rows: ScoredRows) -> ScoredIntervals:
    """The intervals of one shard in order; the last is the whole chunk."""
    is_scored = rows.scores.frames > 0
    records, chunks = rows.records[is_scored], rows.chunks[is_scored]
    columns = (rows.ids, rows.start_texts, rows.end_texts, rows.mean_texts)
    if len(records) == len(rows):
        ids, starts, ends, means = map(list, columns)
    else:
        are_written = is_scored.tolist()
        ids, starts, ends, means = (list(compress(texts, are_written)) for texts in columns)
    for place in np.flatnonzero((np.diff(records) == 0) & (np.diff(chunks) == 1)).tolist():
        ends[place] = starts[place + 1]
    return ScoredIntervals(records.tolist(), ids, chunks.tolist(), starts, ends, means)


def shortened(one: ScoredIntervals, other: ScoredIntervals) -> tuple[ScoredIntervals, ScoredIntervals]:
    """Both, each a single one, the first without the bases that its chunk shares with the second."""
    if (other.ordinals[0], other.chunks[0]) == (one.ordinals[0], one.chunks[0] + 1):
        one = replace(one, ends=other.starts)
    return one, other


INTERVAL_COLUMNS: tuple[Column[ScoredIntervals], ...] = (
    Column("chrom", "id in the input, escaped", bed_names, lambda found, _: found.record_ids),
    Column("chromStart", "start of the chunk, 0-based", integer_texts, lambda found, _: found.starts),
    Column(
        "chromEnd",
        "end, excluded: the start of the next chunk if that is scored, else the end of the chunk",
        integer_texts,
        lambda found, _: found.ends,
    ),
    Column("dataValue", "mean P(virus) of its scored frames", score_texts, lambda found, _: found.scores),
)

INTERVAL_FILES = SpanFiles(
    (
        replace(
            table_of(
                INTERVAL_COLUMNS,
                name="chunk_scores.bedgraph",
                meaning="one row for every scored chunk, in input order, without a header",
                is_prefixed=True,
            ),
            header=lambda style: b"",
        ),
    ),
    scored_intervals,
    shortened,
)

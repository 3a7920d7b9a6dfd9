"""chunk_scores.bedgraph, column by column: the score of every scored chunk along its record, in input order.

Neighbouring chunks overlap, intervals of a bedGraph may not: bases that two scored chunks share are given to the later
one, so that the interval of a chunk begins where the chunk does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from virnucpro_tasks.output.fields import integers, scores
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.sequence_names import bed_names
from virnucpro_tasks.output.spans import SpanFiles
from virnucpro_tasks.output.table import Column, table_of


class ScoredInterval(NamedTuple):
    """Bases of a scored chunk; `ordinal` is the number of its record, from 0, `score` its mean P(virus)."""

    ordinal: int
    record_id: bytes
    chunk: int
    start: int
    end: int
    score: float


def scored_intervals(rows: ScoredRows) -> list[ScoredInterval]:
    """The intervals of one shard in order; the last is the whole chunk."""
    scored = np.flatnonzero(rows.scores.frames > 0)
    records, chunks, starts, ends = (column[scored] for column in (rows.records, rows.chunks, rows.starts, rows.ends))
    goes_on = (np.diff(records) == 0) & (np.diff(chunks) == 1)
    ends[:-1] = np.where(goes_on, starts[1:], ends[:-1])
    ids, means = ([values[row] for row in scored.tolist()] for values in (rows.ids, rows.scores.means))
    columns = (records.tolist(), ids, chunks.tolist(), starts.tolist(), ends.tolist(), means)
    return list(map(ScoredInterval, *columns))


def shortened(one: ScoredInterval, other: ScoredInterval) -> tuple[ScoredInterval, ScoredInterval]:
    """Both, the first without the bases that its chunk shares with the second."""
    if (other.ordinal, other.chunk) == (one.ordinal, one.chunk + 1):
        one = one._replace(end=other.start)
    return one, other


INTERVAL_COLUMNS: tuple[Column[Sequence[ScoredInterval]], ...] = (
    Column("chrom", "id in the input, escaped", bed_names, lambda found, _: [it.record_id for it in found]),
    Column("chromStart", "start of the chunk, 0-based", integers, lambda found, _: [it.start for it in found]),
    Column(
        "chromEnd",
        "end, excluded: the start of the next chunk if that is scored, else the end of the chunk",
        integers,
        lambda found, _: [it.end for it in found],
    ),
    Column("dataValue", "mean P(virus) of its scored frames", scores, lambda found, _: [it.score for it in found]),
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

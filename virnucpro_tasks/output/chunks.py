"""chunks.tsv, column by column: one row for every chunk, in input order. A record without chunks has none."""

from __future__ import annotations

from itertools import compress

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.classifier.consensus import VIRUS
from virnucpro_tasks.output.fields import (
    calls,
    integer_texts,
    integers,
    mates,
    repeated_texts,
    score_texts,
    scores,
    statuses,
    texts,
)
from virnucpro_tasks.output.records import MATE_MEANING
from virnucpro_tasks.output.scored import STATUSES, ScoredRows
from virnucpro_tasks.output.table import Column, Table, TableStyle, table_of

CHUNK_COLUMNS: tuple[Column[ScoredRows], ...] = (
    Column("record_id", "id in the input", texts, lambda rows, _: rows.ids),
    Column(
        "record",
        "number of the record, from 1, over all files of the job, or of the sample",
        integers,
        lambda rows, style: (rows.records - style.first_record + 1).tolist(),
    ),
    Column("chunk", "number of the chunk in its record, from 1", integers, lambda rows, _: rows.chunks.tolist()),
    Column("start", "start, 0-based, on the forward strand", integer_texts, lambda rows, _: rows.start_texts),
    Column("end", "end, excluded", integer_texts, lambda rows, _: rows.end_texts),
    Column(
        "status",
        "`scored`, `no_open_frame` or `quarantined`; with `--coverage segments` also `partial_frame`",
        statuses,
        lambda rows, _: [STATUSES[place] for place in rows.status.tolist()],
    ),
    Column("frames", "number of scored frames, up to 6", integers, lambda rows, _: rows.scores.frames.tolist()),
    Column(
        "highest_viral_score",
        "highest P(virus) of its scored frames",
        score_texts,
        lambda rows, _: rows.highest_texts,
    ),
    Column("mean_viral_score", "mean P(virus) of its scored frames", score_texts, lambda rows, _: rows.mean_texts),
    Column(
        "call",
        "`virus` if the highest P(virus) of its frames is at least the highest P(others), else `others`",
        calls,
        lambda rows, _: [
            is_virus if frames else None
            for is_virus, frames in zip(rows.scores.is_virus.tolist(), rows.scores.frames.tolist(), strict=True)
        ],
    ),
    Column(
        "reason",
        "why the chunk has no score",
        repeated_texts,
        lambda rows, _: [reason.encode() for reason in rows.reasons],
    ),
    Column("model", "name of the bundle", repeated_texts, lambda rows, style: [style.model_label.encode()] * len(rows)),
    Column("mate", MATE_MEANING, mates, lambda rows, _: rows.mates.tolist(), lambda style: style.has_mates),
    Column(
        "segment_score",
        "P(virus) that the head gives to the longest segment of a chunk without an open frame; only there with "
        "`--coverage segments`",
        scores,
        lambda rows, _: _segment_scores(rows).tolist(),
        lambda style: style.has_segments,
    ),
)


def _segment_scores(rows: ScoredRows) -> npt.NDArray[np.float64]:
    """P(virus) of the segment of each row (n,); NaN for a row without one."""
    found = np.full(len(rows), np.nan)
    found[rows.segment_rows] = rows.segment_scores[:, VIRUS]
    return found


_ALL_ROWS = table_of(CHUNK_COLUMNS, name="chunks.tsv", meaning="one row for every chunk, in input order")


def _chunk_lines(rows: ScoredRows, style: TableStyle) -> list[bytes]:
    return list(compress(_ALL_ROWS.lines(rows, style), rows.chunks.tolist()))


CHUNKS = Table(_ALL_ROWS.name, _ALL_ROWS.meaning, _ALL_ROWS.header, _chunk_lines, is_joined=True)

"""Numbers of the charts of the report page, as the script on the page takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from virnucpro_tasks.report.content import ReportContent
from virnucpro_tasks.report.cutoffs import kept_cutoffs, kept_score
from virnucpro_tasks.report.records import CALLS, LENGTH_BINS_A_DECADE, SCORE_BINS, RecordSums
from virnucpro_tasks.report.timeline import timeline
from virnucpro_tasks.report.tracks import Bar

CALL_CUTOFF = 0.5
"""Score from which a record is called virus."""


def chart_data(content: ReportContent) -> dict[str, Any]:
    """The numbers of all charts. Points are given if all records are shown, else a plane of counted cells."""
    records = content.records
    cutoffs = kept_cutoffs(content.run) or {}
    return {
        "scale": "score: P(virus) of the record" if records.has_record_score else "score: mean P(virus)",
        "cutoff": CALL_CUTOFF,
        "kept": {"score": kept_score(content.run, otherwise=CALL_CUTOFF), "length": cutoffs.get("min_length", 0)},
        "histogram": dict(zip(CALLS, records.sums.scores.tolist(), strict=True)),
        "points": [
            [row.place, row.length, row.score, int(row.call == "virus")]
            for row in (records.rows if records.has_all_rows else ())
            if row.score is not None
        ],
        "cells": [] if records.has_all_rows else _cells(records.sums),
        "tracks": {str(place): [_bar(bar) for bar in track] for place, track in content.tracks.items()},
        "lanes": [
            [lane.worker, [[span.start, span.end, span.seconds, span.name, span.tokens] for span in lane.spans]]
            for lane in timeline(content.run)
        ],
    }


def _cells(sums: RecordSums) -> list[list[float]]:
    """Cells that hold records: bounds of length in bases, of score, counts by call."""
    return [
        [
            round(10 ** (length / LENGTH_BINS_A_DECADE), 1),
            round(10 ** ((length + 1) / LENGTH_BINS_A_DECADE), 1),
            score / SCORE_BINS,
            (score + 1) / SCORE_BINS,
            *sums.plane[:, length, score].tolist(),
        ]
        for length, score in np.argwhere(sums.plane.sum(axis=0)).tolist()
    ]


def _bar(bar: Bar) -> list[Any]:
    return [bar.start, bar.end, bar.score, int(bar.is_virus) if bar.score is not None else bar.status.value]

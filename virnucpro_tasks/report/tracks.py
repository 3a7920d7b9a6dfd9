"""Tracks of chunk scores along records: read back from chunks.tsv for a few records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.tables import Status
from virnucpro_tasks.report.records import RecordRow
from virnucpro_tasks.report.rows import CHUNK_FIELDS, read_rows, read_rows_near

CHUNK_SCORE = "mean_viral_score"
"""The column of chunks.tsv that is a chunk's score."""

MOST_BARS = 240
"""Bars of a track; a record with more chunks has the mean of several in a bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a record, 0-based and half-open: one chunk, or some that follow each other.

    `score` is the mean P(virus) of its scored chunks, None without any; then `status` says why. `is_virus` tells the
    call, of several chunks that of most of them.
    """

    start: int
    end: int
    status: Status
    score: float | None
    is_virus: bool


class _Sums:
    """Sums over the chunks of one record, by bar."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        self.bars = min(chunks, MOST_BARS)
        self.rows = 0
        self.starts = np.full(self.bars, np.iinfo(np.int64).max)
        self.ends = np.zeros(self.bars, np.int64)
        self.scored = np.zeros(self.bars, np.int64)
        self.virus = np.zeros(self.bars, np.int64)
        self.quarantined = np.zeros(self.bars, np.int64)
        self.sums = np.zeros(self.bars)

    def add(self, rows: Mapping[str, Any]) -> None:
        bar = (rows["chunk"] - 1) * self.bars // self.chunks
        self.rows += 1
        self.starts[bar] = min(self.starts[bar], rows["start"])
        self.ends[bar] = max(self.ends[bar], rows["end"])
        self.quarantined[bar] += rows["status"] == Status.QUARANTINED.encode()
        if rows[CHUNK_SCORE] is not None:
            self.scored[bar] += 1
            self.sums[bar] += rows[CHUNK_SCORE]
            self.virus[bar] += rows["call"] == b"virus"

    def track(self) -> list[Bar]:
        return [
            Bar(
                start=int(self.starts[bar]),
                end=int(self.ends[bar]),
                status=_status(scored=self.scored[bar] > 0, quarantined=self.quarantined[bar] > 0),
                score=round(float(self.sums[bar] / self.scored[bar]), 4) if self.scored[bar] else None,
                is_virus=bool(self.scored[bar] and 2 * self.virus[bar] >= self.scored[bar]),
            )
            for bar in range(self.bars)
            if self.ends[bar]
        ]


def _status(*, scored: bool, quarantined: bool) -> Status:
    if scored:
        return Status.SCORED
    return Status.QUARANTINED if quarantined else Status.NO_OPEN_FRAME


def read_tracks(table: Path, records: Iterable[RecordRow], *, is_new: bool = False) -> dict[int, list[Bar]]:
    """Read chunks.tsv in one pass and return the track of each of these records, by place. Raises InputError.

    Of a table that `is_new`, written by this process and not changed since, only the parts with these records are
    parsed.
    """
    records = list(records)
    if not records:
        return {}
    gathered = _gathered_near(table, records) if is_new else None
    return {place: sums.track() for place, sums in (gathered or _gathered(table, records)).items()}


def _gathered_near(table: Path, records: Sequence[RecordRow]) -> dict[int, _Sums] | None:
    """The sums by place; None for a table that has to be read as a whole, as one of several samples."""
    if any(record.sample for record in records):
        return None
    numbers = sorted(record.record for record in records)
    try:
        gathered = _gather(table, records, read_rows_near(table, CHUNK_FIELDS, numbers))
    except (ValueError, IndexError):
        return None
    is_complete = all(sums.rows == sums.chunks for sums in gathered.values())
    return gathered if is_complete else None


def _gathered(table: Path, records: Sequence[RecordRow]) -> dict[int, _Sums]:
    return _gather(table, records, read_rows(table, CHUNK_FIELDS))


def _gather(table: Path, records: Sequence[RecordRow], batches: Iterable[pa.Table]) -> dict[int, _Sums]:
    """The sums of these records over the rows of chunks.tsv, by place."""
    by_key = {(record.sample.encode(), record.record): record.place for record in records}
    gathered = {record.place: _Sums(record.chunks) for record in records}
    numbers = pa.array({record.record for record in records}, pa.int64())
    for rows in batches:
        # By the number first: with samples several records have it.
        for row in rows.filter(pc.is_in(rows["record"], numbers)).to_pylist():
            place = by_key.get((row["sample"] or b"", row["record"]))
            if place is None:
                continue
            if not 0 < row["chunk"] <= gathered[place].chunks:
                raise InputError("it has a chunk that its record does not have: it was changed", file=str(table))
            gathered[place].add(row)
    return gathered

"""From rows of chunks to one summary a record, streamed: a record may be spread over many shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.classify.consensus import mean_virus_score, record_is_virus
from virnucpro_tasks.output.scored import STATUSES, ScoredRows
from virnucpro_tasks.reads.tables import Status

_RANKED = (Status.SCORED, Status.QUARANTINED, Status.NO_OPEN_FRAME, Status.TOO_SHORT, Status.INVALID)
"""A record has the first of these statuses that any of its rows has."""

NO_BOUND = -1
"""Where a row is not a scored chunk."""


@dataclass(frozen=True, slots=True)
class RecordSummary:
    """What became of one record.

    `covered` counts the bases in scored chunks, overlaps once; `virus_sum` and `highest` are over `frames` scored
    frames (see `ChunkScores`); `reason` is that of its quarantine, or else of its first row. `begins` and `ends` are
    where its first and its last row begin and end; -1 for one that is not a scored chunk.
    """

    input_ordinal: int
    ordinal: int
    record_id: bytes
    length: int
    status: Status
    reason: str
    chunks: int
    scored_chunks: int
    no_open_frame_chunks: int
    quarantined_chunks: int
    virus_chunks: int
    frames: int
    virus_sum: int
    highest: float
    covered: int
    begins: int
    ends: int

    @property
    def scored_fraction(self) -> float:
        return self.covered / self.length if self.length else 0.0

    @property
    def mean(self) -> float:
        """Mean P(virus) of all scored frames; NaN if there is none."""
        return mean_virus_score(self.virus_sum, self.frames)

    @property
    def is_virus(self) -> bool:
        return record_is_virus(self.virus_sum, self.frames)

    @property
    def note(self) -> str:
        """Why the record, or a part of it, has no score; empty for one that is scored as a whole."""
        if self.status != Status.SCORED:
            return self.reason
        if self.quarantined_chunks:
            return f"{self.quarantined_chunks} of {self.chunks} chunks quarantined: {self.reason}"
        return ""


class RecordMerger:
    """Takes the summaries of a job's shards in order and yields each record when it is complete. Keeps one at most."""

    def __init__(self) -> None:
        self._open: RecordSummary | None = None

    def add(self, summaries: Iterable[RecordSummary]) -> Iterator[RecordSummary]:
        """Yield the records that end before the last of `summaries`."""
        for summary in summaries:
            if self._open is not None and self._open.ordinal == summary.ordinal:
                summary = _joined(self._open, summary)
            elif self._open is not None:
                yield self._open
            self._open = summary

    def end(self) -> Iterator[RecordSummary]:
        """Yield the last record."""
        if self._open is not None:
            yield self._open
        self._open = None


def record_summaries(rows: ScoredRows) -> Iterator[RecordSummary]:
    """The records of one shard in order; of the first and the last it may hold a part only."""
    if not len(rows):
        return
    firsts = np.flatnonzero(np.diff(rows.records, prepend=rows.records[0] - 1))
    lasts = np.append(firsts[1:], len(rows)) - 1
    by_status = {status: _totals(rows.is_status(status), firsts) for status in STATUSES}
    chunks = _totals(rows.chunks > 0, firsts)
    virus_chunks = _totals(rows.scores.is_virus, firsts)
    frames = _totals(rows.scores.frames, firsts)
    sums = _totals(rows.scores.virus_sum, firsts)
    highest = np.maximum.reduceat(rows.scores.highest_virus, firsts).tolist()
    covered = _totals(_covered(rows), firsts)
    scored = rows.is_status(Status.SCORED)
    begins, ends = (
        np.where(scored[places], bounds[places], NO_BOUND).tolist()
        for places, bounds in ((firsts, rows.starts), (lasts, rows.ends))
    )
    records, lengths = rows.records[firsts].tolist(), rows.lengths[firsts].tolist()
    for place, row in enumerate(firsts.tolist()):
        status = next(status for status in _RANKED if by_status[status][place])
        quarantined = by_status[Status.QUARANTINED][place]
        yield RecordSummary(
            input_ordinal=rows.inputs[row],
            ordinal=records[place],
            record_id=rows.ids[row],
            length=lengths[place],
            status=status,
            reason=_quarantine_reason(rows, row, int(lasts[place]) + 1) if quarantined else rows.reasons[row],
            chunks=chunks[place],
            scored_chunks=by_status[Status.SCORED][place],
            no_open_frame_chunks=by_status[Status.NO_OPEN_FRAME][place],
            quarantined_chunks=quarantined,
            virus_chunks=virus_chunks[place],
            frames=frames[place],
            virus_sum=sums[place],
            highest=highest[place],
            covered=covered[place],
            begins=begins[place],
            ends=ends[place],
        )


def _covered(rows: ScoredRows) -> npt.NDArray[np.int64]:
    """Bases of each scored chunk that the chunk before it in its record, if scored, does not hold already."""
    scored = rows.is_status(Status.SCORED)
    before = np.concatenate([[0], np.where(scored, rows.ends, 0)[:-1]])
    before[1:][rows.records[1:] != rows.records[:-1]] = 0
    return np.where(scored, rows.ends - np.maximum(rows.starts, before), 0)


def _totals(values: npt.NDArray[np.generic], firsts: npt.NDArray[np.intp]) -> list[int]:
    return np.add.reduceat(values.astype(np.int64), firsts).tolist()


def _quarantine_reason(rows: ScoredRows, start: int, end: int) -> str:
    row = start + int(np.argmax(rows.is_status(Status.QUARANTINED)[start:end]))
    return rows.reasons[row]


def _joined(first: RecordSummary, second: RecordSummary) -> RecordSummary:
    """Two consecutive parts of one record."""
    status = min(first.status, second.status, key=_RANKED.index)
    overlap = max(0, first.ends - second.begins) if NO_BOUND not in (first.ends, second.begins) else 0
    quarantined = next((part.reason for part in (first, second) if part.quarantined_chunks), None)
    return replace(
        first,
        status=status,
        reason=quarantined if quarantined is not None else first.reason,
        chunks=first.chunks + second.chunks,
        scored_chunks=first.scored_chunks + second.scored_chunks,
        no_open_frame_chunks=first.no_open_frame_chunks + second.no_open_frame_chunks,
        quarantined_chunks=first.quarantined_chunks + second.quarantined_chunks,
        virus_chunks=first.virus_chunks + second.virus_chunks,
        frames=first.frames + second.frames,
        virus_sum=first.virus_sum + second.virus_sum,
        highest=max(first.highest, second.highest),
        covered=first.covered + second.covered - overlap,
        ends=second.ends,
    )

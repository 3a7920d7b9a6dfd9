"""Sums by chunk row that scores of records are made of: of the chunks of the record, or of those of both strands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from virnucpro_tasks.classifier.consensus import OTHERS, VIRUS
from virnucpro_tasks.classifier.log_odds import frame_log_odds
from virnucpro_tasks.reads.tables import FrameOwners, ReverseChunk

Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_KINDS = tuple(ReverseChunk)


@dataclass(frozen=True, slots=True)
class GridSums:
    """The sums that n chunk rows add to the scores of their records, (n,) int64 each.

    `frames` are scored open frames and `totals` the sums of their `frame_log_odds`; `segments` and `segment_totals` are
    those of segments; `closed` is 1 for a chunk that stop codons close and no segment stands for. Sums over both
    strands are twice what one has on average: `RecordScore.grids` divides them.
    """

    frames: Integers
    totals: Integers
    segments: Integers
    segment_totals: Integers
    closed: Integers

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.frames + other.frames,
            self.totals + other.totals,
            self.segments + other.segments,
            self.segment_totals + other.segment_totals,
            self.closed + other.closed,
        )

    def where(self, chosen: Bools) -> Self:
        """These sums for the rows that are `chosen` (n,), and nothing for the others."""
        return type(self)(
            self.frames * chosen,
            self.totals * chosen,
            self.segments * chosen,
            self.segment_totals * chosen,
            self.closed * chosen,
        )


def reverse_sums(
    chunks: pa.Table, owners: FrameOwners, scores: npt.NDArray[np.float32], is_quarantined: Bools, forward: GridSums
) -> GridSums:
    """The sums of the chunks of reverse complements, by the row of `chunks` that has them.

    `scores` (f, 2) are those of the rows of the frame table, which `owners` describe. Chunks that are the same on both
    strands have the sums of `forward`; rows that are quarantined (n,) have none.
    """
    kinds = np.array([_KINDS.index(ReverseChunk(kind)) for kind in chunks["reverse"].to_pylist()], np.int64)
    is_usable = owners.is_reverse & ~is_quarantined[owners.rows]
    of_kinds = kinds[owners.rows]
    frames, totals = _sums(owners.rows, scores, is_usable & (of_kinds == _KINDS.index(ReverseChunk.FRAMES)), len(kinds))
    segments, segment_totals = _sums(
        owners.rows, scores, is_usable & (of_kinds == _KINDS.index(ReverseChunk.SEGMENT)), len(kinds)
    )
    is_closed = (kinds == _KINDS.index(ReverseChunk.CLOSED)) & ~is_quarantined
    moved = GridSums(frames, totals, segments, segment_totals, is_closed.astype(np.int64))
    return moved + forward.where((kinds == _KINDS.index(ReverseChunk.SAME)) & ~is_quarantined)


def _sums(rows: Integers, scores: npt.NDArray[np.float32], chosen: Bools, number: int) -> tuple[Integers, Integers]:
    """How many of the frames are `chosen` in each of `number` rows, and the sum of their `frame_log_odds`."""
    rows, scores = rows[chosen], scores[chosen]
    totals = np.zeros(number, np.int64)
    np.add.at(totals, rows, frame_log_odds(scores[:, OTHERS], scores[:, VIRUS]))
    return np.bincount(rows, minlength=number), totals

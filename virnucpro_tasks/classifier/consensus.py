"""Frame scores to a call for each chunk, and to the sums that the score of a record is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.classifier.log_odds import frame_log_odds

OTHERS, VIRUS = 0, 1
"""Columns of a score array: P(others), P(virus)."""

SUM_BITS = 40
"""Probabilities are summed as whole multiples of 2**-40, so that a sum does not depend on how its terms are grouped:
a record may be spread over any number of shards. An int64 holds the sum of 2**22 frames, more than a shard has."""

CALLED_SCORE = 0.5
"""P(virus) from which a record is called virus."""

Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class ChunkScores:
    """Scores of n chunks, gathered over their frames; a chunk without frames has zeros.

    `frames` (n,) int64; `highest_others` and `highest_virus` (n,) float32; `virus_sum` (n,) int64, the sum of
    P(virus) over the frames in units of 2**-SUM_BITS; `log_odds_sum` (n,) int64, that of their `frame_log_odds`.
    """

    frames: Integers
    highest_others: Floats
    highest_virus: Floats
    virus_sum: Integers
    log_odds_sum: Integers

    @property
    def is_virus(self) -> Bools:
        """The original's consensus: the highest P(virus) is at least the highest P(others). A tie is a virus."""
        return (self.highest_virus >= self.highest_others) & (self.frames > 0)

    @property
    def means(self) -> list[float]:
        """Mean P(virus) of each chunk; NaN without frames."""
        means = np.full(len(self.frames), np.nan)
        # The sum over the few frames of a chunk is a whole number that a float64 holds exactly.
        np.divide(self.virus_sum, self.frames, out=means, where=self.frames > 0)
        return np.ldexp(means, -SUM_BITS).tolist()


def frame_is_virus(scores: Floats) -> Bools:
    """The original's label of each frame of `scores` (frames, 2): the larger probability; a tie is others."""
    return scores[:, VIRUS] > scores[:, OTHERS]


def chunk_scores(scores: Floats, counts: Integers) -> ChunkScores:
    """Gather `scores` (frames, 2) float32 by chunk; chunk i has the next `counts[i]` frames, which may be 0."""
    filled = counts > 0
    starts = (np.cumsum(counts) - counts)[filled]
    highest = np.zeros((len(counts), 2), np.float32)
    sums, log_odds = np.zeros((2, len(counts)), np.int64)
    if len(starts):
        highest[filled] = np.maximum.reduceat(scores, starts, axis=0)
        units = np.rint(np.ldexp(scores[:, VIRUS].astype(np.float64), SUM_BITS)).astype(np.int64)
        sums[filled] = np.add.reduceat(units, starts)
        log_odds[filled] = np.add.reduceat(frame_log_odds(scores[:, OTHERS], scores[:, VIRUS]), starts)
    return ChunkScores(counts, highest[:, OTHERS], highest[:, VIRUS], sums, log_odds)


def mean_virus_score(virus_sum: int, frames: int) -> float:
    """Mean P(virus) from its sum (units of 2**-SUM_BITS) over `frames` frames; NaN without frames."""
    return math.ldexp(virus_sum / frames, -SUM_BITS) if frames else math.nan

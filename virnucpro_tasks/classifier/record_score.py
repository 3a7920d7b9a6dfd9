"""The score of a record: the log-odds of its frames, scaled with their number, as a calibrated probability.

Frames of a record are no independent witnesses: their log-odds must not be added up as if they were, nor is their mean
enough, since more frames tell more. So the mean is multiplied by a + b·ln n, whose values are fitted with the head.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.classifier.log_odds import LOG_ODDS_BITS, probability
from virnucpro_tasks.models.sizes import FittedRecordScore

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RecordScore:
    """Rule by which the log-odds of a record follow from those of its frames; both logarithms are natural.

    With `fitted` values c + m·(a + b·ln n): m is the mean of n frames, c the `intercept`, a the `slope`, b the
    `slope_per_log_frames`. A head without them gives m·√n, the sum over √n, which nothing calibrates.
    """

    fitted: FittedRecordScore | None = None

    @property
    def is_fitted(self) -> bool:
        """Whether scores are probabilities that were fitted with the head."""
        return self.fitted is not None

    @property
    def formula(self) -> str:
        """The rule in one line, as run.json tells it."""
        if self.fitted is None:
            return "sum of the log-odds of the scored frames / sqrt(frames), not calibrated"
        values = self.fitted
        return (
            f"{values.intercept:.6g} + mean log-odds of the scored frames * "
            f"({values.slope:.6g} + {values.slope_per_log_frames:.6g} * ln(frames))"
        )

    def log_odds(self, frames: Integers, totals: Integers) -> Floats:
        """Log-odds of records from their numbers of `frames` and the sums of their `frame_log_odds`, (n,) each.

        0 without frames. Each value is the same whatever other records are given.
        """
        counts = np.maximum(frames, 1)
        means = np.ldexp(totals.astype(np.float64), -LOG_ODDS_BITS) / counts
        return np.where(frames > 0, self.of_means(means, counts), 0.0)

    def of_means(self, means: Floats, frames: Integers) -> Floats:
        """Log-odds of records from the means over their `frames`, at least one, (n,) each."""
        if self.fitted is None:
            return means * np.sqrt(frames.astype(np.float64))
        return self.fitted.intercept + means * (
            self.fitted.slope + self.fitted.slope_per_log_frames * log_counts(frames)
        )


class RecordLogOdds(NamedTuple):
    """The log-odds of a record, or of its part in one shard, by `rule`: of `frames` scored frames with the sum `total`
    of their `frame_log_odds`; 0 without frames.
    """

    rule: RecordScore
    frames: int
    total: int
    log_odds: float

    @property
    def is_scored(self) -> bool:
        return self.frames > 0

    @property
    def score(self) -> float:
        """P(virus) of the record; NaN without frames."""
        return probability(self.log_odds) if self.is_scored else math.nan

    @property
    def is_virus(self) -> bool:
        """The call: P(virus) is at least one half, before it is rounded; false without frames."""
        return self.is_scored and self.log_odds >= 0


def records_log_odds(rule: RecordScore, frames: Integers, totals: Integers) -> Iterator[RecordLogOdds]:
    """The log-odds of records from their numbers of frames and the sums over them, (n,) each."""
    values = rule.log_odds(frames, totals).tolist()
    return map(RecordLogOdds, repeat(rule), frames.tolist(), totals.tolist(), values)


def joined_log_odds(one: RecordLogOdds, other: RecordLogOdds) -> RecordLogOdds:
    """Those of two parts of a record together."""
    frames, totals = (np.array([of(one) + of(other)]) for of in (lambda it: it.frames, lambda it: it.total))
    (found,) = records_log_odds(one.rule, frames, totals)
    return found


def log_counts(counts: Integers) -> Floats:
    """Natural logarithms of whole numbers of at least 1, (n,), which do not depend on their places."""
    different, places = np.unique(counts, return_inverse=True)
    return _logarithms(different.tolist())[places]


def _logarithms(counts: Iterable[int]) -> Floats:
    return np.array([math.log(count) for count in counts], np.float64)

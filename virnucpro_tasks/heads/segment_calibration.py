"""Calibration of what stands for chunks and records without an open frame.

How many frames a segment is worth, and how its log-odds are to be read, is fitted by the likelihood of the records that
have segments, while the values for frames stay. That a record has no open frame tells something itself: viruses have
more genes than others. So weights of classes and groups are those among all records, with frames and without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from virnucpro_tasks.classifier.log_odds import LOG_ODDS_BITS
from virnucpro_tasks.classifier.record_score import RecordScore, SegmentSums
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.weights import group_weights
from virnucpro_tasks.models.sizes import FittedRecordScore, FittedSegments, FittedWithoutFrames

SEGMENT_DEVIATIONS = np.array([0.5, 0.5, 1.0])
"""Standard deviations of the normal prior of slope (its logarithm), intercept and weight (its logarithm) of segments:
with few groups a segment counts much as a frame does.
"""

LENGTH_DEVIATIONS = np.array([0.5, 0.5])
"""Standard deviations of the normal prior of the log-odds at REFERENCE_LENGTH and of their change with the length."""

REFERENCE_LENGTH = 1_000
"""Bases, about the middle of the lengths of contigs."""

LEAST_GROUPS = 5
"""Groups of each class without any frame or segment, with fewer of which a head has no score for such records."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CoveredRecords:
    """n labelled records by what they are scored by, (n,) each.

    `totals` and `segment_totals` are sums of the log-odds, cut off as in results, of their `frames` and `segments`;
    `lengths` are bases.
    """

    frames: Integers
    totals: Floats
    segments: Integers
    segment_totals: Floats
    lengths: Integers
    virus: NDArray[np.bool_]
    groups: Sequence[str]

    @property
    def is_closed(self) -> NDArray[np.bool_]:
        """Whether a record has neither a frame nor a segment."""
        return (self.frames == 0) & (self.segments == 0)

    def of(self, chosen: NDArray[np.int64]) -> CoveredRecords:
        """Some of the records, in the order given."""
        return CoveredRecords(
            self.frames[chosen],
            self.totals[chosen],
            self.segments[chosen],
            self.segment_totals[chosen],
            self.lengths[chosen],
            self.virus[chosen],
            [self.groups[record] for record in chosen.tolist()],
        )

    def log_odds(self, values: FittedRecordScore) -> Floats:
        """Log-odds of the records by these values, as in results; NaN for one that they do not score."""
        rule = RecordScore(values)
        others = SegmentSums(self.segments, _units(self.segment_totals), self.lengths, self.is_closed.astype(np.int64))
        found = rule.log_odds(self.frames, _units(self.totals), others)
        counts = self.frames + rule.has_segments * self.segments
        return np.where((counts > 0) | rule.has_lengths, found, np.nan)


def covered_records(examples: Examples, log_odds: Floats) -> CoveredRecords:
    """The records of `examples` with the sums of `log_odds` (n,) of their frames and segments."""
    return CoveredRecords(
        frames=examples.frames,
        totals=examples.totals(log_odds),
        segments=examples.segments,
        segment_totals=examples.segment_totals(log_odds),
        lengths=examples.lengths,
        virus=examples.virus,
        groups=examples.groups,
    )


def fit_covered(by_frames: FittedRecordScore, records: CoveredRecords) -> FittedRecordScore:
    """`by_frames` with the most probable values for segments and, if there are enough groups, for records without any.

    Raises InputError unless both classes have segments.
    """
    segments = fit_segments(by_frames, records)
    with_segments = structs.replace(by_frames, segments=segments)
    return structs.replace(with_segments, without_frames=fit_without_frames(records))


def fit_segments(by_frames: FittedRecordScore, records: CoveredRecords) -> FittedSegments:
    """The most probable values of segments. Raises InputError unless both classes have some."""
    chosen = np.flatnonzero(records.segments > 0)
    if len(np.unique(records.virus[chosen])) < 2:
        raise InputError(
            "the part 'calibrate' does not have segments of viruses and of others",
            file="the labelled records",
            hint="give more records, or fit the head with '--coverage frames'",
        )
    some = records.of(chosen)

    def values_of(parameters: Floats) -> FittedSegments:
        slope, intercept, weight = parameters.tolist()
        return FittedSegments(float(np.exp(slope)), intercept, float(np.exp(weight)))

    def log_odds(parameters: Floats) -> Floats:
        return some.log_odds(structs.replace(by_frames, segments=values_of(parameters), without_frames=None))

    return values_of(_most_probable(log_odds, records, chosen, SEGMENT_DEVIATIONS))


def fit_without_frames(records: CoveredRecords) -> FittedWithoutFrames | None:
    """The most probable values of records without any frame or segment; None with too few groups of a class."""
    chosen = np.flatnonzero(records.is_closed)
    some = records.of(chosen)
    groups = np.array(some.groups)
    if any(len(np.unique(groups[some.virus == virus])) < LEAST_GROUPS for virus in (True, False)):
        return None
    relative = np.log(some.lengths / REFERENCE_LENGTH)
    found = _most_probable(
        lambda parameters: parameters[0] + parameters[1] * relative, records, chosen, LENGTH_DEVIATIONS
    )
    at_reference, change = found.tolist()
    intercept = at_reference - change * float(np.log(REFERENCE_LENGTH))
    return FittedWithoutFrames(intercept, change, longest=int(some.lengths.max()))


def _most_probable(
    log_odds: Callable[[Floats], Floats], records: CoveredRecords, chosen: Integers, deviations: Floats
) -> Floats:
    """The parameters of `log_odds`, which gives those of the `chosen` records, under a normal prior around 0."""
    from scipy.optimize import minimize

    weights, observations = group_weights(records.virus, records.groups)
    signs = np.where(records.virus[chosen], 1.0, -1.0)

    def loss(parameters: Floats) -> float:
        surprise = weights[chosen] @ np.logaddexp(0, -signs * log_odds(parameters))
        return float(observations * surprise + np.square(parameters / deviations).sum() / 2)

    options = {"maxiter": 2_000, "xatol": 1e-6, "fatol": 1e-9}
    return minimize(loss, np.zeros(len(deviations)), method="Nelder-Mead", options=options).x


def _units(log_odds: Floats) -> Integers:
    """Sums of log-odds as whole numbers, as results have them."""
    return np.rint(np.ldexp(log_odds, LOG_ODDS_BITS)).astype(np.int64)

"""The score of a record: the log-odds of its frames, scaled with their number, as a calibrated probability.

Frames of a record are no independent witnesses: their log-odds must not be added up as if they were, nor is their mean
enough, since more frames tell more. So the mean is multiplied by a + b·ln n + d·ln² n, whose values are fitted with
the head.

Where a job is covered by segments, those of chunks without an open frame are further witnesses, of their own
reliability: a segment with the log-odds x counts as w frames with the log-odds s·x + t.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from msgspec import structs

from virnucpro_tasks.classifier.log_odds import LOG_ODDS_BITS, probability
from virnucpro_tasks.models.sizes import FittedRecordScore

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SegmentSums:
    """Segments and lengths of n records, (n,) int64 each: evidence besides open frames. With several grids the first
    two, and `closed`, are sums over all of them.

    `segments` is their number, `totals` the sum of their `frame_log_odds`. `lengths` are the bases of a record of which
    nothing is missing: none of its chunks is quarantined; 0 of any other. `closed` is the number of chunks that are
    closed by stop codons and have no segment: a record without codons tells nothing, whatever its length.
    """

    segments: Integers
    totals: Integers
    lengths: Integers
    closed: Integers

    @property
    def have_length(self) -> npt.NDArray[np.bool_]:
        """Whether the length of a record may stand for it, where it has no frames and no segments."""
        return (self.lengths > 0) & (self.closed > 0)


@dataclass(frozen=True, slots=True)
class RecordScore:
    """Rule by which the log-odds of a record follow from those of its frames; both logarithms are natural.

    With `fitted` values c + m·(a + b·ln n + d·ln² n): m is the mean of n frames, c the `intercept`, a the `slope`, b
    the `slope_per_log_frames`, d the `slope_per_squared_log_frames`, 0 in older heads. Of n no more counts
    than `most_frames`: a fit to short records tells nothing of longer ones. A head without values gives m·√n, the sum
    over √n, which nothing calibrates.

    Values of a fit to few groups are uncertain: the log-odds z may be too large or too small by a factor, with the
    variance v, the `scale_variance`, around 1. The probability that is expected over all such factors has, nearly, the
    log-odds z / √(1 + π·v·z²/8) (MacKay 1992, The evidence framework applied to classification networks, equation 9).
    So the surest records promise less; neither calls nor the order of records change.

    With fitted `segments` (s, t and w) m is the mean over frames and segments, these with the weight w and the values
    s·x + t, and n the sum of all weights, of which the logarithm is taken as that of 1 if it is smaller. With values
    for records `without_frames` or segments their log-odds are linear in the logarithm of their bases, of which no more
    count than the longest that was fitted has.

    In a job that scores both strands there are two `grids` of chunks, of the record and of its reverse complement.
    Given are the sums over both, of which the average counts: n is the mean number of frames (or sum of weights), since
    both read the same bases, and the values were fitted to one.

    Frames of records of fewer bases than `nucleotides_below` have log-odds by their nucleotide vectors alone: the head
    has a part of its own for them. The rule is the same for them.
    """

    fitted: FittedRecordScore | None = None
    grids: int = 1
    nucleotides_below: int | None = None

    @property
    def is_fitted(self) -> bool:
        """Whether scores are probabilities that were fitted with the head."""
        return self.fitted is not None

    @property
    def formula(self) -> str:
        """The rule in one line, as run.json tells it."""
        average = "; sums and numbers are averages over the chunks of both strands" if self.grids > 1 else ""
        if self.nucleotides_below is not None:
            average += f"; log-odds of records shorter than {self.nucleotides_below} bases by nucleotides alone"
        if self.fitted is None:
            return f"sum of the log-odds of the scored frames / sqrt(frames), not calibrated{average}"
        values, curvature = self.fitted, self.fitted.slope_per_squared_log_frames
        most = f"; ln(frames) at most ln({values.most_frames})" if values.most_frames else ""
        promise = f"{most}; z of it all as z / sqrt(1 + pi/8 * {values.scale_variance:.6g} * z^2)"
        return (
            f"{values.intercept:.6g} + mean log-odds of the scored frames * "
            f"({values.slope:.6g} + {values.slope_per_log_frames:.6g} * ln(frames)"
            f"{f' + {curvature:.6g} * ln(frames)^2' if curvature else ''}){self._formula_of_others()}"
            f"{promise if values.scale_variance else most}{average}"
        )

    def _formula_of_others(self) -> str:
        """The part of the formula for records with segments, or without frames."""
        segments, without = (self.fitted.segments, self.fitted.without_frames) if self.fitted else (None, None)
        text = ""
        if segments is not None:
            text += (
                f"; a segment with log-odds x counts as {segments.weight:.6g} frames with "
                f"{segments.slope:.6g} * x + {segments.intercept:.6g}"
            )
        if without is not None:
            text += f"; without any of both {without.intercept:.6g} + {without.per_log_length:.6g} * ln(bases)"
            text += "" if without.longest is None else f" for up to {without.longest} bases"
        return text

    @property
    def has_segments(self) -> bool:
        """Whether segments count."""
        return self.fitted is not None and self.fitted.segments is not None

    @property
    def has_lengths(self) -> bool:
        """Whether records without frames and segments have a score by their length."""
        return self.fitted is not None and self.fitted.without_frames is not None

    def by_frames(self) -> Self:
        """The rule of a job that is scored by open frames alone."""
        if self.fitted is None:
            return self
        return replace(self, fitted=structs.replace(self.fitted, segments=None, without_frames=None))

    def log_odds(self, frames: Integers, totals: Integers, others: SegmentSums | None = None) -> Floats:
        """Log-odds of records from their numbers of `frames` and the sums of their `frame_log_odds`, (n,) each, over
        all grids.

        `others` is what they have besides. 0 without anything that counts. Each value is the same whatever other
        records are given.
        """
        sums = np.ldexp(totals.astype(np.float64), -LOG_ODDS_BITS) / self.grids
        if others is None or self.fitted is None:
            counts = np.where(frames > 0, frames, 1) / self.grids
            return np.where(frames > 0, self.of_means(sums / counts, counts), 0.0)
        weights = frames / self.grids
        if (segments := self.fitted.segments) is not None:
            of_segments = np.ldexp(others.totals.astype(np.float64), -LOG_ODDS_BITS) / self.grids
            numbers = others.segments / self.grids
            sums = sums + segments.weight * (segments.slope * of_segments + segments.intercept * numbers)
            weights = weights + segments.weight * numbers
        has_any = weights > 0
        weights = np.where(has_any, weights, 1.0)
        found = np.where(has_any, self.of_means(sums / weights, weights), 0.0)
        if (without := self.fitted.without_frames) is not None:
            lengths = np.clip(others.lengths, 1, without.longest)
            by_length = without.intercept + without.per_log_length * log_counts(lengths)
            found = np.where(~has_any & others.have_length, by_length, found)
        return found

    def of_means(self, means: Floats, frames: Integers | Floats) -> Floats:
        """Log-odds of records from the means over their `frames`, more than none, or weights that stand for them, (n,)
        each.
        """
        if self.fitted is None:
            return means * np.sqrt(frames.astype(np.float64))
        most = np.inf if self.fitted.most_frames is None else self.fitted.most_frames
        logarithms = log_counts(np.minimum(np.maximum(frames, 1), most))
        slopes = self.fitted.slope + self.fitted.slope_per_log_frames * logarithms
        slopes += self.fitted.slope_per_squared_log_frames * np.square(logarithms)
        found = self.fitted.intercept + means * slopes
        return found / np.sqrt(1 + np.pi / 8 * self.fitted.scale_variance * np.square(found))


class RecordLogOdds(NamedTuple):
    """The log-odds of a record, or of its part in one shard, by `rule`: of `frames` scored frames with the sum `total`
    of their `frame_log_odds`, over all grids; 0 without frames. The others are those of `SegmentSums`.
    """

    rule: RecordScore
    frames: int
    total: int
    log_odds: float
    segments: int = 0
    segment_total: int = 0
    length: int = 0
    closed: int = 0

    @property
    def is_scored(self) -> bool:
        return (
            self.frames > 0
            or (self.segments > 0 and self.rule.has_segments)
            or (self.length > 0 and self.closed > 0 and self.rule.has_lengths)
        )

    @property
    def score(self) -> float:
        """P(virus) of the record; NaN without anything that counts."""
        return probability(self.log_odds) if self.is_scored else math.nan

    @property
    def is_virus(self) -> bool:
        """The call: P(virus) is at least one half, before it is rounded; false without a score."""
        return self.is_scored and self.log_odds >= 0


def records_log_odds(
    rule: RecordScore, frames: Integers, totals: Integers, others: SegmentSums | None = None
) -> Iterator[RecordLogOdds]:
    """The log-odds of records from their numbers of frames and the sums over them, (n,) each, and what they have
    besides, where that counts.
    """
    values = rule.log_odds(frames, totals, others).tolist()
    found = (repeat(rule), frames.tolist(), totals.tolist(), values)
    if others is None:
        return map(RecordLogOdds, *found)
    columns = (others.segments, others.totals, others.lengths, others.closed)
    return map(RecordLogOdds, *found, *(column.tolist() for column in columns))


def joined_log_odds(one: RecordLogOdds, other: RecordLogOdds) -> RecordLogOdds:
    """Those of two parts of a record together."""
    frames, totals, segments, segment_totals, lengths, closed = (
        np.array([value])
        for value in (
            one.frames + other.frames,
            one.total + other.total,
            one.segments + other.segments,
            one.segment_total + other.segment_total,
            min(one.length, other.length),
            one.closed + other.closed,
        )
    )
    (found,) = records_log_odds(one.rule, frames, totals, SegmentSums(segments, segment_totals, lengths, closed))
    return found


def log_counts(counts: Integers | Floats) -> Floats:
    """Natural logarithms of numbers of at least 1, (n,), which do not depend on their places."""
    different, places = np.unique(counts, return_inverse=True)
    return _logarithms(different.tolist())[places]


def _logarithms(counts: Iterable[float]) -> Floats:
    return np.array([math.log(count) for count in counts], np.float64)

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.calibration import sigmoid
from virnucpro_tasks.heads.metrics import calibration_error
from virnucpro_tasks.heads.segment_calibration import (
    LEAST_GROUPS,
    CoveredRecords,
    fit_covered,
    fit_segments,
    fit_without_frames,
)
from virnucpro_tasks.models.sizes import FittedRecordScore, FittedSegments, FittedWithoutFrames

BY_FRAMES = FittedRecordScore(intercept=0.0, slope=0.8, slope_per_log_frames=0.5)
TRUE = structs.replace(
    BY_FRAMES,
    segments=FittedSegments(slope=0.5, intercept=-0.4, weight=0.3),
    without_frames=FittedWithoutFrames(intercept=2.1, per_log_length=-0.4),
)


def records(number: int, *, seed: int, values: FittedRecordScore = TRUE) -> CoveredRecords:
    """Records, a third without a frame and a third without a segment, with labels drawn by their probabilities."""
    random = np.random.default_rng(seed)
    frames = random.integers(1, 20, number) * (random.random(number) < 0.67)
    segments = random.integers(1, 10, number) * (random.random(number) < 0.67)
    totals, segment_totals = random.normal(0, 1.5, number) * frames, random.normal(0, 1.5, number) * segments
    lengths = random.integers(150, 5_000, number)
    found = CoveredRecords(
        frames,
        totals,
        segments,
        segment_totals,
        lengths,
        np.zeros(number, bool),
        [f"g{place}" for place in range(number)],
    )
    virus = random.random(number) < sigmoid(found.log_odds(values))
    return CoveredRecords(frames, totals, segments, segment_totals, lengths, virus, found.groups)


def alike(some: CoveredRecords) -> CoveredRecords:
    """As many viruses as others, which is what scores are probabilities for."""
    rare = min(some.virus.sum(), (~some.virus).sum())
    chosen = [np.flatnonzero(some.virus == virus)[:rare] for virus in (True, False)]
    return some.of(np.sort(np.concatenate(chosen)))


def test_the_values_that_made_the_labels_are_found() -> None:
    some = records(40_000, seed=1)
    shift = np.log(some.virus.mean() / (1 - some.virus.mean()))
    found = fit_covered(structs.replace(BY_FRAMES, intercept=-shift), some)
    assert found.segments is not None and found.without_frames is not None
    assert (found.segments.slope, found.segments.weight) == pytest.approx((0.5, 0.3), rel=0.15)
    assert found.segments.intercept == pytest.approx(-0.4, abs=0.1)
    at_reference = found.without_frames.intercept + found.without_frames.per_log_length * np.log(1_000)
    assert at_reference == pytest.approx(2.1 - 0.4 * np.log(1_000) - shift, abs=0.12)
    assert found.without_frames.per_log_length == pytest.approx(-0.4, abs=0.1)
    assert found.without_frames.longest == some.lengths[some.is_closed].max()


def test_records_are_calibrated_whatever_they_are_scored_by() -> None:
    found = fit_covered(BY_FRAMES, alike(records(20_000, seed=2)))
    others = alike(records(20_000, seed=3))
    scores = sigmoid(others.log_odds(found))
    assert not np.isnan(scores).any()
    for chosen in (others.frames > 0, (others.frames == 0) & (others.segments > 0), others.is_closed):
        assert calibration_error(scores[chosen], others.virus[chosen]) < 0.04


def test_that_a_record_has_no_frame_speaks_for_what_has_few() -> None:
    some = records(6_000, seed=4)
    # Half of the others lose what they have.
    loses = ~some.virus & (np.arange(len(some.virus)) % 2 == 0)
    kept = CoveredRecords(
        some.frames * ~loses,
        some.totals * ~loses,
        some.segments * ~loses,
        some.segment_totals * ~loses,
        some.lengths,
        some.virus,
        some.groups,
    )
    before, after = fit_without_frames(some), fit_without_frames(kept)
    assert before is not None and after is not None
    at = np.log(1_000)
    assert after.intercept + at * after.per_log_length < before.intercept + at * before.per_log_length - 0.5


def test_a_head_has_no_values_that_too_few_groups_would_make() -> None:
    some = records(4_000, seed=5)
    few = CoveredRecords(
        some.frames,
        some.totals,
        some.segments,
        some.segment_totals,
        some.lengths,
        some.virus,
        [f"g{virus:d}{place % (LEAST_GROUPS - 1)}" for place, virus in enumerate(some.virus)],
    )
    assert fit_without_frames(few) is None
    assert fit_covered(BY_FRAMES, few).segments is not None


def test_segments_of_one_class_alone_are_refused() -> None:
    some = records(400, seed=6)
    one = some.of(np.flatnonzero(some.virus | (some.segments == 0)))
    with pytest.raises(InputError, match="segments of viruses and of others"):
        fit_segments(BY_FRAMES, one)


def test_few_groups_leave_a_segment_near_a_frame() -> None:
    some = records(2_000, seed=7, values=structs.replace(TRUE, segments=FittedSegments(2.0, 0.0, 3.0)))
    groups = [f"g{virus:d}{place % 2}" for place, virus in enumerate(some.virus)]
    few = CoveredRecords(some.frames, some.totals, some.segments, some.segment_totals, some.lengths, some.virus, groups)
    near, far = fit_segments(BY_FRAMES, few), fit_segments(BY_FRAMES, some)
    assert abs(np.log(near.slope)) < abs(np.log(far.slope))


def test_log_odds_of_records_that_are_not_scored_are_nan() -> None:
    some = records(300, seed=8)
    assert (np.isnan(some.log_odds(BY_FRAMES)) == (some.frames == 0)).all()
    with_segments = structs.replace(TRUE, without_frames=None)
    assert (np.isnan(some.log_odds(with_segments)) == some.is_closed).all()

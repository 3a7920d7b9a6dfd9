from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.heads.calibration import sigmoid
from virnucpro_tasks.heads.metrics import calibration_error
from virnucpro_tasks.heads.record_calibration import PRIOR_MEANS, cut_off, fit_record_score
from virnucpro_tasks.heads.weights import group_weights
from virnucpro_tasks.models.sizes import FittedRecordScore

TRUE = FittedRecordScore(intercept=0.4, slope=0.6, slope_per_log_frames=0.5, slope_per_squared_log_frames=0.15)


def records(number: int, *, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of log-odds, numbers of frames, and labels drawn with the probabilities of TRUE."""
    random = np.random.default_rng(seed)
    frames = random.integers(1, 60, number)
    means = random.normal(0, 1, number)
    virus = random.random(number) < sigmoid(RecordScore(TRUE).of_means(means, frames))
    return means, frames, virus


def factor(values: FittedRecordScore, frames: np.ndarray) -> np.ndarray:
    """What the mean log-odds of so many frames are multiplied by."""
    sure = RecordScore(structs.replace(values, intercept=0.0, scale_variance=0.0))
    return sure.of_means(np.ones(len(frames)), frames)


def groups_of(number: int) -> list[str]:
    return [f"g{place}" for place in range(number)]


def test_the_values_that_made_the_labels_are_found() -> None:
    means, frames, virus = records(40_000, seed=1)
    found = fit_record_score(means, frames, virus, groups_of(len(means)))
    # Of a single frame the slope alone counts; the two values by number make up for each other.
    assert found.slope == pytest.approx(TRUE.slope, abs=0.08)
    frames_of_interest = np.array([1, 3, 10, 30, 60])
    factors = [factor(values, frames_of_interest) for values in (found, TRUE)]
    np.testing.assert_allclose(*factors, rtol=0.1)
    # Weights make the classes alike: the intercept that they had is taken out.
    share = virus.mean()
    assert found.intercept == pytest.approx(0.4 - np.log(share / (1 - share)), abs=0.05)


def test_scores_are_calibrated_on_other_records() -> None:
    found = fit_record_score(*records(20_000, seed=2), groups_of(20_000))
    means, frames, virus = records(20_000, seed=3)
    scores = sigmoid(RecordScore(found).of_means(means, frames))
    weights = np.where(virus, 0.5 / virus.mean(), 0.5 / (1 - virus).mean())
    chosen = np.random.default_rng(4).choice(len(virus), len(virus), p=weights / weights.sum())
    assert calibration_error(scores[chosen], virus[chosen]) < 0.02


def test_few_groups_stay_near_the_mean_of_the_log_odds() -> None:
    means, frames, virus = records(4_000, seed=5)
    groups = [f"g{label}{place % 2}" for place, label in enumerate(virus)]
    found = fit_record_score(means, frames, virus, groups)
    many = fit_record_score(means, frames, virus, groups_of(len(means)))
    frames_of_interest = np.array([1, 10, 60])
    away = [abs(factor(values, frames_of_interest) - PRIOR_MEANS[1]) for values in (found, many)]
    assert (away[0] < away[1]).all() and away[0][0] < 0.1 * away[1][0]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_frames_that_say_virus_never_speak_against_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    virus = np.arange(30) % 2 == 0
    found = fit_record_score(random.normal(0, 5, 30), random.integers(1, 99, 30), virus, groups_of(30))
    assert min(found.slope, found.slope_per_log_frames, found.slope_per_squared_log_frames) >= 0


def test_records_of_a_group_count_as_one() -> None:
    means, frames, virus = records(400, seed=6)
    groups = groups_of(400)
    once = fit_record_score(means, frames, virus, groups)
    thrice = fit_record_score(*(np.repeat(values, 3) for values in (means, frames, virus)), np.repeat(groups, 3))
    assert list(thrice.__struct_fields__) == list(once.__struct_fields__)
    for name in once.__struct_fields__:
        assert getattr(thrice, name) == pytest.approx(getattr(once, name), abs=1e-4)


def test_few_groups_promise_less_and_call_the_same() -> None:
    means, frames, virus = records(4_000, seed=7)
    few = fit_record_score(means, frames, virus, [f"g{label}{place % 8}" for place, label in enumerate(virus)])
    sure = structs.replace(few, scale_variance=0.0)
    promised, plain = (RecordScore(values).of_means(means, frames) for values in (few, sure))
    assert (np.sign(promised) == np.sign(plain)).all() and (abs(promised) < abs(plain)).all()
    # However strong the evidence, the promise has an end.
    assert RecordScore(few).of_means(np.array([1e3]), np.array([8]))[0] < 10
    many = fit_record_score(means, frames, virus, groups_of(len(means)))
    assert 0 < many.scale_variance < 0.3 * few.scale_variance
    order = np.argsort(plain)
    assert (np.diff(promised[order]) >= 0).all()


def test_the_variance_of_the_scale_is_the_inverse_of_the_curvature_of_the_loss() -> None:
    means, frames, virus = records(300, seed=8)
    found = fit_record_score(means, frames, virus, groups_of(300))
    weights, observations = group_weights(virus, groups_of(300))
    log_odds = RecordScore(structs.replace(found, scale_variance=0.0)).of_means(means, frames)
    signs = np.where(virus, 1, -1)

    def loss(factor: float) -> float:
        return observations * (weights @ np.log1p(np.exp(-signs * factor * log_odds))) + (factor - 1) ** 2 / 2 / 0.25

    step = 1e-3
    curvature = (loss(1 + step) - 2 * loss(1) + loss(1 - step)) / step**2
    assert found.scale_variance == pytest.approx(1 / curvature, rel=1e-4)


def test_a_fit_to_short_records_says_nothing_of_longer_ones() -> None:
    means, frames, virus = records(4_000, seed=9)
    few = frames <= 6
    found = fit_record_score(means[few], frames[few], virus[few], groups_of(int(few.sum())))
    assert found.most_frames == 6
    factors = factor(found, np.array([1, 6, 7, 10_000]))
    assert factors[0] < factors[1] == factors[2] == factors[3]
    # Heads of earlier versions have no such limit.
    assert (np.diff(factor(structs.replace(found, most_frames=None), np.array([1, 6, 7, 10_000]))) > 0).all()
    assert RecordScore(found).formula.count("ln(frames) at most ln(6)") == 1


def test_log_odds_are_cut_off_as_in_results() -> None:
    assert cut_off(np.array([-99.0, -3.0, 16.5])).tolist() == [-16, -3, 16]

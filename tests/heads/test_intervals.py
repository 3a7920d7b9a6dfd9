from __future__ import annotations

import numpy as np
import pytest

from virnucpro_tasks.heads.intervals import (
    RESAMPLED,
    RESAMPLES,
    interval_of,
    intervals,
    mean_interval,
    resampled,
    share_interval,
)
from virnucpro_tasks.heads.metrics import Metrics


def made_up(*, groups: int, records: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores, labels and groups: a group's records are nearly alike."""
    random = np.random.default_rng(seed)
    virus = np.repeat(np.arange(groups) % 2 == 0, records)
    centres = np.repeat(random.normal(0.45, 0.15, groups), records) + 0.1 * virus
    scores = np.clip(centres + random.normal(0, 0.02, len(virus)), 0, 1)
    return scores, virus, [f"g{number // records}" for number in range(len(virus))]


def test_every_resample_draws_whole_groups_and_as_many_of_each_class() -> None:
    groups = ["a", "a", "b", "c", "d", "d", "e"]
    virus = np.array([True, True, True, True, False, False, False])
    weights = np.concatenate(list(resampled(groups, virus, seed=1)))
    assert weights.shape == (RESAMPLES, 7)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    assert (weights[:, 1] + weights[:, 2] + weights[:, 3] == 3).all() and (weights[:, 5] + weights[:, 6] == 2).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.1)
    np.testing.assert_array_equal(weights, np.concatenate(list(resampled(groups, virus, seed=1))))


def test_metrics_of_a_resample_are_those_of_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, virus, groups = made_up(groups=8, records=5, seed=3)
    scores = np.round(scores, 1)
    scores[::7] = np.nan
    weights = next(iter(resampled(groups, virus, seed=2)))[:3]
    for row in weights:
        times = row.astype(int)
        expected = Metrics.of(np.repeat(scores, times), np.repeat(virus, times)).as_dict()
        one = np.array([row])
        monkeypatch.setattr("virnucpro_tasks.heads.intervals.resampled", lambda *_, one=one, **__: iter([one]))
        for name, value in intervals(scores, virus, groups, seed=0).items():
            assert value == (pytest.approx(expected[name], abs=1e-4),) * 2, name


def test_few_groups_of_many_like_records_give_a_wide_interval() -> None:
    few = intervals(*made_up(groups=10, records=40, seed=0), seed=1)["auroc"]
    many = intervals(*made_up(groups=400, records=1, seed=0), seed=1)["auroc"]
    assert few is not None and many is not None
    assert few[1] - few[0] > 2 * (many[1] - many[0])


def test_intervals_hold_the_true_value_about_as_often_as_they_say() -> None:
    # A virus group's centre is above another's with this probability; records add little.
    from scipy.stats import norm

    truth = norm.cdf(0.1 / np.hypot(0.15, 0.15))
    held = 0
    for seed in range(100):
        low, high = intervals(*made_up(groups=60, records=3, seed=seed), seed=seed)["auroc"] or (0, 0)
        held += low <= truth <= high
    assert 88 <= held <= 100


def test_a_single_group_of_a_class_has_no_interval() -> None:
    virus = np.array([True, True, False, False])
    assert intervals(np.ones(4), virus, ["a", "a", "b", "c"], seed=0) == dict.fromkeys(RESAMPLED)
    assert share_interval(np.array([True, False]), ["a", "a"], seed=0) is None
    assert mean_interval(np.array([0.5]), seed=0) is None
    assert interval_of(np.array([np.nan])) is None


def test_shares_and_means_of_groups() -> None:
    called = np.array([True, True, True, False, False])
    assert share_interval(called, ["a", "a", "a", "b", "b"], seed=0) == (0, 1)
    low, high = mean_interval(np.array([0.2, 0.4, 0.6, 0.8] * 10), seed=0) or (0, 0)
    assert 0.4 < low < 0.5 < high < 0.6

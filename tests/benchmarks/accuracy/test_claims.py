from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy.claims import LEVEL, claim, estimated_share, own_claim, scores_as_probabilities, stated_share


def calibrated(*, seed: int, count: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are probabilities where viruses are half."""
    random = np.random.default_rng(seed)
    scores = random.uniform(0, 1, count)
    return scores, random.random(count) < scores


def test_running_means_over_the_ranking() -> None:
    scores = np.array([0.2, 0.9, 0.5, 0.9])
    np.testing.assert_allclose(scores_as_probabilities(scores), [1.5 / 4, 0.1, 0.7 / 3, 0.1])


def test_calibrated_scores_claim_the_truth_where_viruses_are_half_and_not_where_they_are_few() -> None:
    scores, virus = calibrated(seed=1)
    half, few = (
        claim(scores, virus, estimate=scores_as_probabilities, prevalence=share, seed=1) for share in (0.5, 0.05)
    )
    assert half.true_rate == pytest.approx(LEVEL, abs=0.02) and half.refused == 0
    assert few.true_rate is not None and few.true_rate > 0.5
    assert few.records == round((~virus).sum() / 0.95) and few.draws == 50


def test_rates_for_the_share_of_viruses_are_true_where_they_are_few_too() -> None:
    # Sharper scores than the uniform ones, of which hardly any is high enough where viruses are few.
    random = np.random.default_rng(2)
    scores = random.beta(0.2, 0.2, 8_000)
    virus = random.random(8_000) < scores
    for share in (0.05, 0.5):
        for estimate in (stated_share, estimated_share):
            found = claim(scores, virus, estimate=estimate, prevalence=share, seed=1)
            assert found.true_rate == pytest.approx(LEVEL, abs=0.05) and found.refused < 25
    naive = claim(scores, virus, estimate=scores_as_probabilities, prevalence=0.05, seed=1)
    assert naive.true_rate is not None and naive.true_rate > LEVEL + 0.2


def test_a_share_that_cannot_be_told_is_refused() -> None:
    scores, virus = calibrated(seed=1, count=300)
    found = claim(scores, virus, estimate=estimated_share, prevalence=0.01, seed=1)
    assert found.refused == found.draws
    assert stated_share(scores[:10], 0.0) is None


def test_refusals_and_jobs_without_a_selection_are_counted() -> None:
    scores, virus = calibrated(seed=3, count=200)
    refused = claim(scores, virus, estimate=lambda *_: None, prevalence=0.05, seed=1, draws=7)
    assert (refused.refused, refused.true_rate, refused.recall, refused.selected) == (7, None, None, 0)
    empty = claim(scores, virus, estimate=lambda scores, _: np.ones_like(scores), prevalence=0.05, seed=1, draws=7)
    assert (empty.refused, empty.true_rate, empty.recall) == (0, None, 0)
    assert empty.as_dict()["true_rate"] is None and empty.as_dict()["claimed"] == 0.1


def test_the_rate_that_a_tool_tells_is_held_against_the_truth() -> None:
    fdr = np.array([0.01, 0.05, 0.1, 0.2, np.nan, np.nan])
    found = own_claim(fdr, np.array([True, False, True, True, True, False]))
    assert (found.selected, found.true_rate, found.recall) == (3, pytest.approx(1 / 3), 0.5)
    assert found.prevalence == pytest.approx(4 / 6, abs=1e-4)
    assert own_claim(fdr[3:], np.array([True, True, False])).true_rate is None


def test_viruses_without_a_score_count_in_the_recall() -> None:
    scores, virus = np.array([0.99] * 50 + [0.01] * 50), np.array([True] * 50 + [False] * 50)
    scores[:25] = np.nan
    found = claim(scores, virus, estimate=scores_as_probabilities, prevalence=0.5, seed=1)
    assert found.recall == 0.5 and found.true_rate == 0

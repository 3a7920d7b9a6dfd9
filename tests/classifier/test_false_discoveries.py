from __future__ import annotations

import math

import numpy as np
import pytest
from classifier.calibrated import calibrated, counts_of
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.classifier.class_prior import ClassPrior, estimated_prior, given_prior
from virnucpro_tasks.classifier.false_discoveries import FalseDiscoveries, false_discoveries
from virnucpro_tasks.classifier.log_odds_bins import bin_log_odds, bins_of


@pytest.mark.parametrize("share", [0.02, 0.05, 0.5])
@pytest.mark.parametrize("level", [0.05, 0.1, 0.2])
def test_of_calibrated_records_a_claimed_rate_is_the_true_one(share: float, level: float) -> None:
    claimed, true = [], []
    for seed in range(5):
        log_odds, virus = calibrated(40_000, share, seed=seed)
        counts = counts_of(log_odds)
        chosen = false_discoveries(counts, estimated_prior(counts)).of(log_odds) <= level
        claimed.append(level)
        true.append(float((~virus[chosen]).mean()))
    assert np.mean(true) == pytest.approx(level, abs=0.02)
    assert max(abs(one - level) for one in true) < 0.05


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_the_rate_in_plain_python(log_odds: list[float], share: float) -> None:
    values = np.array(log_odds)
    found = false_discoveries(counts_of(values), given_prior(counts_of(values), share)).of(values)
    middles = [bin_log_odds()[place] for place in bins_of(values)]
    wrong = [1 / (1 + math.exp(middle) * share / (1 - share)) for middle in middles]
    for middle, rate in zip(middles, found, strict=True):
        above = [one for other, one in zip(middles, wrong, strict=True) if other >= middle]
        assert rate == pytest.approx(sum(above) / len(above), rel=1e-9)


@given(st.lists(st.floats(-40, 40), min_size=1, max_size=60), st.floats(0.001, 0.999))
def test_a_lower_score_has_no_lower_rate_and_ties_share_theirs(log_odds: list[float], share: float) -> None:
    values = np.sort(np.repeat(log_odds, 2))[::-1]
    rates = false_discoveries(counts_of(values), given_prior(counts_of(values), share)).of(values)
    assert (np.diff(rates) >= -1e-12).all() and (rates[::2] == rates[1::2]).all()
    assert ((rates >= 0) & (rates <= 1)).all()


def test_a_rarer_class_has_higher_rates() -> None:
    log_odds, _ = calibrated(1_000, 0.5)
    counts = counts_of(log_odds)
    rare, common = (false_discoveries(counts, given_prior(counts, share)).of(log_odds) for share in (0.05, 0.5))
    assert (rare > common).all()


def test_the_least_score_of_a_rate_chooses_the_same_records() -> None:
    log_odds, _ = calibrated(5_000, 0.3)
    counts = counts_of(log_odds)
    found = false_discoveries(counts, estimated_prior(counts))
    score = found.score_at(0.1)
    assert score is not None
    by_score = log_odds >= math.log(score / (1 - score))
    assert abs(int(by_score.sum()) - int((found.of(log_odds) <= 0.1).sum())) <= 20
    assert found.score_at(0.0) is None


def test_without_a_share_there_are_no_rates() -> None:
    refused = false_discoveries(counts_of(np.zeros(3)), ClassPrior(3, math.nan, refusal="too few"))
    assert not refused.are_there and refused.refusal == "too few" and refused.score_at(0.1) is None
    assert np.isnan(refused.of(np.zeros(2))).all()
    assert np.isnan(FalseDiscoveries(refusal="no").of(np.zeros(2))).all()

from __future__ import annotations

import math

import numpy as np
import pytest
from classifier.calibrated import calibrated, counts_of

from virnucpro_tasks.classifier.class_prior import LEAST_RECORDS, estimated_prior, given_prior
from virnucpro_tasks.classifier.log_odds_bins import bin_log_odds


@pytest.mark.parametrize("share", [0.02, 0.05, 0.5, 0.9])
def test_the_share_of_viruses_is_found_within_its_error(share: float) -> None:
    log_odds, _ = calibrated(20_000, share)
    found = estimated_prior(counts_of(log_odds))
    assert not found.refusal and found.records == 20_000 and not found.is_given
    assert abs(found.share - share) < 3 * found.standard_error < 0.25 * share


def test_the_standard_error_is_that_of_repeated_samples() -> None:
    shares = np.random.default_rng(1).binomial(2_000, 0.2, 300) / 2_000
    found = [estimated_prior(counts_of(calibrated(2_000, share, seed=seed)[0])) for seed, share in enumerate(shares)]
    drawn = np.std([one.share for one in found])
    assert 0.85 * drawn < np.mean([one.standard_error for one in found]) < 1.15 * drawn


@pytest.mark.parametrize("share", [0.05, 0.6])
def test_the_share_is_the_most_probable_one(share: float) -> None:
    # Imported here: it takes long, and every process of a run collects this file.
    from scipy.optimize import minimize_scalar

    counts = counts_of(calibrated(5_000, share, spread=2)[0])
    odds = np.exp(bin_log_odds())

    def surprise(value: float) -> float:
        return -float((counts * np.log(value * odds + 1 - value)).sum())

    best = minimize_scalar(surprise, bounds=(1e-6, 1 - 1e-6), method="bounded", options={"xatol": 1e-10}).x
    assert estimated_prior(counts).share == pytest.approx(best, rel=1e-4)


def test_few_records_have_no_estimate() -> None:
    log_odds, _ = calibrated(LEAST_RECORDS - 1, 0.5)
    found = estimated_prior(counts_of(log_odds))
    assert math.isnan(found.share) and found.refusal == f"199 records have a score; at least {LEAST_RECORDS} are needed"
    assert not estimated_prior(counts_of(calibrated(LEAST_RECORDS, 0.5)[0])).refusal
    for number, begins in ((0, "0 records have a score"), (1, "1 record has a score")):
        assert estimated_prior(counts_of(log_odds[:number])).refusal.startswith(begins)


@pytest.mark.parametrize(("share", "name"), [(0.0, "virus"), (1.0, "other record")])
def test_one_class_alone_is_at_the_end_of_the_range(share: float, name: str) -> None:
    found = estimated_prior(counts_of(calibrated(3_000, share)[0]))
    assert f"hardly any {name}" in found.refusal and math.isnan(found.share)


def test_scores_that_tell_nothing_are_refused() -> None:
    for log_odds in (np.zeros(5_000), calibrated(300, 0.3, spread=0.7)[0]):
        assert "do not tell the share" in estimated_prior(counts_of(log_odds)).refusal


def test_an_estimate_that_does_not_stand_is_refused() -> None:
    found = estimated_prior(counts_of(calibrated(300, 0.05, spread=0.5)[0]))
    assert "did not converge" in found.refusal and math.isnan(found.share)


def test_a_share_that_is_given_is_taken() -> None:
    found = given_prior(counts_of(np.zeros(3)), 0.05)
    assert (found.records, found.share, found.is_given, found.refusal) == (3, 0.05, True, "")


def test_the_order_of_records_is_no_matter() -> None:
    log_odds, _ = calibrated(5_000, 0.3)
    assert estimated_prior(counts_of(log_odds)) == estimated_prior(counts_of(log_odds[::-1]))

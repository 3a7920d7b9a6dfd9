from __future__ import annotations

import numpy as np
import pytest

from virnucpro_tasks.heads.cutoffs import cutoffs, false_discovery_rate, recall_at_false_discoveries

VIRUS = np.array([True] * 100 + [False] * 100)
SCORES = np.concatenate([np.linspace(0.505, 1, 100), np.linspace(0, 0.792, 100)])


def test_points_counted_by_hand() -> None:
    found = cutoffs(SCORES, VIRUS, prevalence=0.5)
    # The highest other score is 0.792, the next 0.784; of viruses 42 are above the first, 44 above the second.
    assert found["1% false positives"]["score"] == pytest.approx(0.785)
    assert (found["1% false positives"]["others_called"], found["1% false positives"]["recall"]) == (1, 0.44)
    assert found["5% false positives"]["others_called"] == 5
    at_half = found["score 0.5"]
    assert (at_half["recall"], at_half["false_positive_rate"]) == (1, 0.37)
    assert at_half["false_discovery_rate"] == pytest.approx(37 / 137, abs=1e-4)
    for rate in (0.05, 0.1):
        point = found[f"{rate:.0%} false discoveries"]
        called = point["score"] <= SCORES
        assert (called & ~VIRUS).sum() / called.sum() <= rate
        assert point["recall"] == (called & VIRUS).sum() / 100
        lower = SCORES[point["score"] > SCORES]
        worse = [(called & ~VIRUS).sum() / called.sum() for called in (score <= SCORES for score in lower)]
        assert min(worse) > rate


def test_rarer_viruses_need_a_higher_score() -> None:
    common, rare = (cutoffs(SCORES, VIRUS, prevalence=share) for share in (0.5, 0.05))
    assert rare["10% false discoveries"]["score"] > common["10% false discoveries"]["score"]
    assert rare["1% false positives"]["score"] == common["1% false positives"]["score"]
    assert false_discovery_rate(0.5, 0.01, 0.05) == pytest.approx(0.0095 / 0.0345)
    assert recall_at_false_discoveries(SCORES, VIRUS, rate=0.1, prevalence=0.05) == 0.42


def test_where_no_cutoff_keeps_a_rate_there_is_no_score() -> None:
    found = cutoffs(1 - SCORES, VIRUS, prevalence=0.05)
    assert found["5% false discoveries"]["score"] is None and found["5% false discoveries"]["recall"] == 0
    assert recall_at_false_discoveries(1 - SCORES, VIRUS, rate=0.05, prevalence=0.05) == 0


def test_nobody_can_call_at_the_place_of_records_without_a_score() -> None:
    scores = np.where(VIRUS, np.nan, 0.1)
    scores[:10] = 0.9
    for point in cutoffs(scores, VIRUS, prevalence=0.999).values():
        assert (point["score"], point["recall"]) in ((0.9, 0.1), (0.1, 0.1), (0.5, 0.1))

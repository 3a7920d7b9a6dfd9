from __future__ import annotations

import numpy as np
import pytest

from virnucpro_tasks.heads.metrics import (
    Metrics,
    by_length,
    calibration_bins,
    calibration_error,
    length_classes,
    ranking,
    recall_at,
)

SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1])
VIRUS = np.array([True, True, False, True, False, True, False, False])


def test_figures_of_a_small_case_counted_by_hand() -> None:
    found = Metrics.of(SCORES, VIRUS)
    # Of 16 pairs of a virus and another, 13 are in order.
    assert found.auroc == pytest.approx(13 / 16)
    assert (found.records, found.viruses, found.scored) == (8, 4, 8)
    assert (found.precision, found.recall, found.f1) == (0.75, 0.75, 0.75)
    assert found.false_positive_rate == 0.25
    assert recall_at(SCORES, VIRUS, 0.0) == 0.5 and recall_at(SCORES, VIRUS, 0.25) == 0.75


def test_records_without_a_score_are_called_other_and_rank_last() -> None:
    scores, virus = np.append(SCORES, [np.nan, np.nan]), np.append(VIRUS, [True, False])
    found = Metrics.of(scores, virus)
    # The unscored virus is below four others and level with one; the unscored other is below four viruses.
    assert found.auroc == pytest.approx((13 + 0.5 + 4) / 25)
    assert (found.records, found.viruses, found.scored) == (10, 5, 8)
    assert (found.precision, found.recall, found.false_positive_rate) == (0.75, 3 / 5, 1 / 5)
    assert found.calibration_error == Metrics.of(SCORES, VIRUS).calibration_error
    below = ranking(np.array([np.nan, 0.0, -3.0]))
    assert below[0] < -3 and below[1:].tolist() == [0, -3]


def test_nothing_scored_finds_nothing() -> None:
    found = Metrics.of(np.full(4, np.nan), np.array([True, True, False, False])).as_dict()
    assert (found["auroc"], found["recall"], found["scored"], found["calibration_error"]) == (0.5, 0, 0, None)


def test_calibration_error_counted_by_hand() -> None:
    scores = np.array([0.05, 0.05, 0.95, 0.95])
    assert calibration_error(scores, np.array([False, False, True, True])) == pytest.approx(0.05)
    assert calibration_error(scores, np.array([False, True, True, False])) == pytest.approx(0.45)
    assert calibration_error(np.array([1.0]), np.array([True])) == 0
    assert calibration_bins(np.array([0, 0.05, 0.95, 1])).tolist() == [0, 0, 9, 9]


def test_one_class_has_no_ranking() -> None:
    found = Metrics.of(np.array([0.2, 0.9]), np.array([False, False])).as_dict()
    assert found["auroc"] is None and found["false_positive_rate"] == 0.5 and found["records"] == 2


def test_every_record_is_in_one_range_of_lengths() -> None:
    lengths = np.array([300, 499, 500, 999, 1_000, 2_999, 3_000, 99_999])
    ranges = by_length(SCORES, VIRUS, lengths)
    assert {name: part["records"] for name, part in ranges.items()} == {
        "0 to 499": 2,
        "500 to 999": 2,
        "1000 to 2999": 2,
        "3000 to 9999": 1,
        "10000 and more": 1,
    }
    assert sum(inside for _, inside in length_classes(lengths)).tolist() == [1] * 8  # type: ignore[union-attr]

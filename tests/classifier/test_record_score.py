from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.classifier.log_odds import LOG_ODDS_BITS, probability
from virnucpro_tasks.classifier.record_score import RecordScore, joined_log_odds, log_counts, records_log_odds
from virnucpro_tasks.models.sizes import FittedRecordScore

FITTED = RecordScore(FittedRecordScore(intercept=-0.25, slope=0.5, slope_per_log_frames=1.5))
totals = st.integers(-(2**40), 2**40)
parts = st.lists(st.tuples(st.integers(0, 300), totals), min_size=1, max_size=20)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    frames, sums = np.array(pairs, np.int64).T
    return frames, sums


@given(parts)
def test_fitted_values_scale_the_mean_with_the_number_of_frames(pairs: list[tuple[int, int]]) -> None:
    found = FITTED.log_odds(*arrays(pairs)).tolist()
    for (frames, total), value in zip(pairs, found, strict=True):
        if frames == 0:
            assert value == 0
            continue
        mean = total / frames / 2**LOG_ODDS_BITS
        assert value == pytest.approx(-0.25 + mean * (0.5 + 1.5 * math.log(frames)), abs=1e-9)


def test_a_head_without_values_takes_the_sum_by_the_root_of_the_number() -> None:
    rule = RecordScore()
    assert not rule.is_fitted and FITTED.is_fitted
    one = 1 << LOG_ODDS_BITS
    assert rule.log_odds(np.array([4, 9, 1]), np.array([6 * one, -3 * one, 0])).tolist() == [3.0, -1.0, 0.0]


@given(parts, st.sampled_from([FITTED, RecordScore()]))
def test_a_record_has_the_same_value_wherever_it_stands(pairs: list[tuple[int, int]], rule: RecordScore) -> None:
    together = list(records_log_odds(rule, *arrays(pairs)))
    alone = [next(records_log_odds(rule, *arrays([pair]))) for pair in pairs]
    assert together == alone


@given(parts, st.sampled_from([FITTED, RecordScore()]))
def test_parts_of_a_record_join_to_the_whole(pairs: list[tuple[int, int]], rule: RecordScore) -> None:
    first, *others = records_log_odds(rule, *arrays(pairs))
    for part in others:
        first = joined_log_odds(first, part)
    frames, sums = arrays(pairs)
    (whole,) = records_log_odds(rule, frames.sum(keepdims=True), sums.sum(keepdims=True))
    assert first == whole


@given(st.integers(1, 10**6), totals)
def test_the_call_is_the_score_before_it_is_rounded(frames: int, total: int) -> None:
    (found,) = records_log_odds(FITTED, np.array([frames]), np.array([total]))
    assert found.is_virus == (found.log_odds >= 0)
    assert found.score == probability(found.log_odds)
    assert not found.is_virus or found.score >= 0.5


def test_a_record_without_frames_has_no_score_and_is_no_virus() -> None:
    (found,) = records_log_odds(FITTED, np.array([0]), np.array([0]))
    assert math.isnan(found.score) and not found.is_virus


def test_more_frames_of_one_mind_are_surer() -> None:
    one = 1 << LOG_ODDS_BITS
    frames = np.array([1, 2, 5, 50])
    for rule in (FITTED, RecordScore()):
        viral = rule.log_odds(frames, frames * one)
        assert (np.diff(viral) > 0).all()


@given(st.lists(st.integers(1, 10**7), max_size=30))
def test_logarithms_are_those_of_python(counts: list[int]) -> None:
    assert log_counts(np.array(counts, np.int64)).tolist() == [math.log(count) for count in counts]


def test_the_rule_is_told_in_one_line() -> None:
    assert FITTED.formula == "-0.25 + mean log-odds of the scored frames * (0.5 + 1.5 * ln(frames))"
    assert "not calibrated" in RecordScore().formula

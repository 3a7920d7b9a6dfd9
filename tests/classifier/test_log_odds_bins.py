from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.classifier.log_odds_bins import BINS, BINS_A_UNIT, FURTHEST, bin_log_odds, bin_odds, bins_of

log_odds = st.floats(-1e6, 1e6)


@given(st.lists(log_odds, min_size=1, max_size=50))
def test_a_bin_holds_what_is_near_its_middle(values: list[float]) -> None:
    middles = bin_log_odds()
    for value, place in zip(values, bins_of(np.array(values)).tolist(), strict=True):
        inside = max(-FURTHEST, min(FURTHEST, value))
        assert abs(inside - middles[place]) <= 0.5 / BINS_A_UNIT


@given(log_odds, log_odds)
def test_bins_are_in_the_order_of_log_odds(one: float, other: float) -> None:
    low, high = bins_of(np.array(sorted([one, other]))).tolist()
    assert 0 <= low <= high < BINS


def test_the_call_is_a_bound_of_bins() -> None:
    assert bins_of(np.array([0.0, -1e-12])).tolist() == [BINS // 2, BINS // 2 - 1]


def test_odds_are_those_of_the_middles() -> None:
    assert bin_odds().tolist() == [math.exp(value) for value in bin_log_odds()]
    assert bin_odds()[BINS // 2] == pytest.approx(math.exp(0.5 / BINS_A_UNIT))

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.classifier.log_odds import LARGEST_LOG_ODDS, LOG_ODDS_BITS, frame_log_odds, probability

probabilities = st.floats(0, 1, width=32)
UNIT = 2.0**-LOG_ODDS_BITS


@given(st.lists(st.tuples(probabilities, probabilities), min_size=1, max_size=40))
def test_the_log_odds_of_a_frame_in_plain_python(pairs: list[tuple[float, float]]) -> None:
    scores = np.array(pairs, np.float32)
    found = frame_log_odds(scores[:, 0], scores[:, 1])
    for (others, virus), units in zip(pairs, found.tolist(), strict=True):
        least = 2.0**-149
        expected = math.log(max(virus, least)) - math.log(max(others, least))
        assert units * UNIT == pytest.approx(max(-LARGEST_LOG_ODDS, min(LARGEST_LOG_ODDS, expected)), abs=1e-9)
    one_by_one = [frame_log_odds(row[:1], row[1:])[0] for row in scores]
    assert found.tolist() == one_by_one


def test_equal_probabilities_are_nought_and_certain_ones_are_cut_off() -> None:
    others = np.array([0.5, 0.3, 0, 0, 1], np.float32)
    virus = np.array([0.5, 0.3, 0, 1, 0], np.float32)
    most = int(LARGEST_LOG_ODDS / UNIT)
    assert frame_log_odds(others, virus).tolist() == [0, 0, 0, most, -most]


def test_no_frames_have_no_log_odds() -> None:
    assert frame_log_odds(*np.zeros((2, 0), np.float32)).tolist() == []


@pytest.mark.parametrize("log_odds", [0.0, 1.5, -3.25, 30.0])
def test_the_probability_has_these_log_odds(log_odds: float) -> None:
    found = probability(log_odds)
    assert math.log(found / (1 - found)) == pytest.approx(log_odds, rel=1e-2)


def test_probabilities_of_any_log_odds_are_between_nought_and_one() -> None:
    assert [probability(value) for value in (-1e9, 0.0, 1e9)] == [0.0, 0.5, 1.0]
    assert math.isnan(probability(math.nan))

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.embed.packing import capacity, pack_lengths


def token_fill(packs, *, token_budget):
    """Tokens over the tokens that the packs could hold, 0 to 1."""
    return sum(pack.tokens for pack in packs) / capacity(packs, token_budget=token_budget)


lengths_lists = st.lists(st.integers(1, 60), max_size=200)


@given(lengths_lists, st.integers(1, 80), st.integers(1, 50))
def test_every_sequence_is_in_exactly_one_pack_within_the_budget(lengths, token_budget, window_sequences):
    packs = pack_lengths(lengths, token_budget=token_budget, window_sequences=window_sequences)
    seen = np.concatenate([pack.indices for pack in packs]) if packs else np.empty(0)
    assert sorted(seen.tolist()) == list(range(len(lengths)))
    for pack in packs:
        assert pack.tokens == sum(lengths[i] for i in pack.indices)
        assert pack.tokens <= token_budget or pack.indices.size == 1


@given(lengths_lists, st.integers(60, 120), st.integers(1, 50))
def test_a_pack_lists_longest_first_then_by_index(lengths, token_budget, window_sequences):
    for pack in pack_lengths(lengths, token_budget=token_budget, window_sequences=window_sequences):
        keys = [(-lengths[i], i) for i in pack.indices.tolist()]
        assert keys == sorted(keys)


def first_fit_decreasing(lengths, budget):
    rooms: list[int] = []
    for length in sorted(lengths, reverse=True):
        place = next((i for i, room in enumerate(rooms) if room >= length), None)
        if place is None:
            rooms.append(budget - length)
        else:
            rooms[place] -= length
    return sorted(budget - room for room in rooms)


@given(lengths_lists, st.integers(60, 150))
def test_one_window_packs_as_first_fit_decreasing_does(lengths, token_budget):
    packs = pack_lengths(lengths, token_budget=token_budget)
    assert sorted(pack.tokens for pack in packs) == first_fit_decreasing(lengths, token_budget)


def test_the_case_that_next_fit_gets_wrong():
    packs = pack_lengths([8, 7, 5, 4], token_budget=12)
    assert [pack.indices.tolist() for pack in packs] == [[0, 3], [1, 2]]


def test_the_rest_of_a_window_is_carried_into_the_next():
    # 5 sequences of 3 tokens a window and 4 a pack: without carrying, each window would leave a pack with one.
    packs = pack_lengths([3] * 20, token_budget=12, window_sequences=5)
    assert [pack.tokens for pack in packs] == [12] * 5


def test_a_sequence_over_the_budget_is_alone():
    packs = pack_lengths([2, 50, 2], token_budget=10)
    assert [pack.indices.tolist() for pack in packs] == [[1], [0, 2]]
    assert token_fill(packs, token_budget=10) == pytest.approx(54 / 60)


def test_packs_depend_on_lengths_alone():
    lengths = np.random.default_rng(5).integers(30, 1_023, 3_000)
    once, again = (pack_lengths(lengths, token_budget=16_384, window_sequences=700) for _ in range(2))
    assert [pack.indices.tolist() for pack in once] == [pack.indices.tolist() for pack in again]


@pytest.mark.parametrize("window_sequences", [2_000, 16_384])
@pytest.mark.parametrize("token_budget", [4_096, 16_384, 32_768])
@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param(np.random.default_rng(1).choice([52, 51, 50], 40_000, p=[0.5, 0.4, 0.1]), id="150-base reads"),
        pytest.param(np.random.default_rng(2).integers(32, 1_025, 40_000), id="30 to 1,022 residues"),
    ],
)
def test_packs_are_at_least_98_percent_full(lengths, token_budget, window_sequences):
    packs = pack_lengths(lengths, token_budget=token_budget, window_sequences=window_sequences)
    assert token_fill(packs, token_budget=token_budget) >= 0.98


def test_nothing_gives_no_packs():
    assert pack_lengths([], token_budget=1) == []
    assert capacity([], token_budget=1) == 0


@pytest.mark.parametrize(
    "wrong", [{"token_budget": 0}, {"token_budget": 5, "window_sequences": 0}, {"lengths": [0], "token_budget": 5}]
)
def test_values_below_one_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        pack_lengths(wrong.pop("lengths", [1]), **wrong)

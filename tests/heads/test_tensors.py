from __future__ import annotations

from collections.abc import Callable

import numpy as np

from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.models.sizes import HeadSizes

Make = Callable[..., Examples]


def test_a_linear_head_is_exactly_that(make_examples: Make) -> None:
    joined = make_examples().joined
    random = np.random.default_rng(1)
    weight, mean, deviation = random.standard_normal(16), random.standard_normal(16), random.uniform(1, 2, 16)
    head = HeadTensors.linear(weight, 0.3).standardised(mean, deviation).calibrated(2.0, -0.7)
    expected = 2 * ((joined - mean) / deviation @ weight + 0.3) - 0.7
    np.testing.assert_allclose(head.log_odds(joined), expected, rtol=1e-5, atol=1e-5)


def test_names_and_shapes_are_those_of_the_published_head() -> None:
    state = HeadTensors.linear(np.ones(5), 0.0).state()
    assert {name: array.shape for name, array in state.items()} == HeadSizes(width=5, hidden=2).shapes()

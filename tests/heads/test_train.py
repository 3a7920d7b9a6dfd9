"""Heads fitted to made-up vectors, the way from the fit to the file, and calibration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.labels import TEST
from virnucpro_tasks.heads.metrics import Metrics
from virnucpro_tasks.heads.train import HeadKind, fit_head

Make = Callable[..., Examples]


@pytest.mark.parametrize("kind", list(HeadKind))
def test_unseen_groups_are_told_apart(make_examples: Make, kind: HeadKind) -> None:
    examples = make_examples(groups=160, distance=2.0)
    fitted = fit_head(examples, kind=kind, hidden=16, seed=1)
    test = fitted.parts[TEST]
    assert Metrics.of(fitted.scores[test], examples.virus[test]).auroc > 0.85
    assert Metrics.of(fitted.means[test], examples.virus[test]).auroc > 0.85


@pytest.mark.parametrize("kind", list(HeadKind))
def test_without_a_difference_nothing_is_learnt(make_examples: Make, kind: HeadKind) -> None:
    examples = make_examples(groups=200, distance=0)
    fitted = fit_head(examples, kind=kind, hidden=16, seed=1)
    test = fitted.parts[TEST]
    assert 0.3 < Metrics.of(fitted.scores[test], examples.virus[test]).auroc < 0.7


@pytest.mark.parametrize("kind", list(HeadKind))
def test_equal_arguments_give_equal_heads(make_examples: Make, kind: HeadKind) -> None:
    states = [fit_head(make_examples(), kind=kind, hidden=8, seed=5).head.state() for _ in range(2)]
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name])

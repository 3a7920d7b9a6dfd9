"""Heads fitted to made-up vectors, the way from the fit to the file, and calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from virnucpro_tasks.errors import InputError
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


def with_segments(examples: Examples, *, share: float = 0.4) -> Examples:
    """The same records, some of whose frames are segments."""
    is_segment = np.random.default_rng(3).random(len(examples.record)) < share
    return replace(examples, is_segment=is_segment)


def test_segments_have_values_of_their_own_and_the_head_is_that_of_the_frames(make_examples: Make) -> None:
    examples = with_segments(make_examples(groups=160, distance=2.0))
    fitted = fit_head(examples, kind=HeadKind.LOGISTIC, hidden=1, seed=1, has_segments=True)
    alone = fit_head(examples, kind=HeadKind.LOGISTIC, hidden=1, seed=1)
    assert alone.covered_scores is None and alone.record_score.segments is None
    for name, array in alone.head.state().items():
        np.testing.assert_array_equal(array, fitted.head.state()[name])
    assert fitted.record_score.segments is not None
    assert fitted.record_score.slope == alone.record_score.slope
    np.testing.assert_array_equal(fitted.scores, alone.scores)
    assert fitted.covered_scores is not None
    assert (np.isnan(fitted.scores) == (examples.frames == 0)).all()
    test = fitted.parts[TEST]
    covered = Metrics.of(fitted.covered_scores[test], examples.virus[test])
    assert covered.scored == covered.records > Metrics.of(fitted.scores[test], examples.virus[test]).scored
    assert covered.auroc > Metrics.of(fitted.scores[test], examples.virus[test]).auroc


def test_segments_that_are_not_there_cannot_be_fitted_to(make_examples: Make) -> None:
    with pytest.raises(InputError, match="segments of viruses and of others"):
        fit_head(make_examples(), kind=HeadKind.LOGISTIC, hidden=1, seed=1, has_segments=True)


def test_a_part_in_which_a_class_has_no_open_frame_is_named(make_examples: Make) -> None:
    examples = make_examples(groups=20)
    closed = examples.virus[examples.record]
    with pytest.raises(InputError, match="the part 'train' does not have records of both classes with an open frame"):
        fit_head(replace(examples, is_segment=closed), kind=HeadKind.LOGISTIC, hidden=1, seed=1, has_segments=True)

"""The part of a head for short records: what it changes, what it leaves as it is, and when there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.calibration import sigmoid
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.labels import TEST, VALIDATION
from virnucpro_tasks.heads.metrics import calibration_error
from virnucpro_tasks.heads.record_calibration import cut_off
from virnucpro_tasks.heads.segment_calibration import covered_records
from virnucpro_tasks.heads.train import Fitted, HeadKind, fit_head

Make = Callable[..., Examples]
BELOW = 400


def examples_with_short_ones(make: Make, *, noise: float) -> Examples:
    """Every second record is short, with one or two frames whose protein vectors are noise."""
    examples = make(groups=160, records=6, distance=1.4)
    random = np.random.default_rng(7)
    is_short = np.arange(len(examples.ids)) % 2 == 0
    frames = [np.flatnonzero(examples.record == one) for one in range(len(is_short))]
    kept = np.concatenate([rows[:2] if short else rows for rows, short in zip(frames, is_short, strict=True)])
    lengths = random.integers(np.where(is_short, 150, BELOW), np.where(is_short, BELOW, 5_000))
    protein = examples.protein[kept]
    of_short = is_short[examples.record[kept]]
    protein = protein + (noise * of_short[:, None] * random.standard_normal(protein.shape)).astype(np.float32)
    return replace(
        examples,
        nucleotide=examples.nucleotide[kept],
        protein=protein,
        record=examples.record[kept],
        lengths=lengths,
        is_segment=examples.is_segment[kept],
    )


@pytest.fixture(scope="module")
def noisy(make_examples: Make) -> tuple[Examples, Fitted]:
    examples = examples_with_short_ones(make_examples, noise=10.0)
    return examples, fit_head(examples, kind=HeadKind.LOGISTIC, hidden=1, seed=1, nucleotides_below=BELOW)


def test_longer_records_are_scored_as_without_it(noisy: tuple[Examples, Fitted]) -> None:
    examples, fitted = noisy
    alone = fit_head(examples, kind=HeadKind.LOGISTIC, hidden=1, seed=1)
    assert alone.short is None and alone.record_score == fitted.record_score
    for name, array in alone.head.state().items():
        np.testing.assert_array_equal(array, fitted.head.state()[name])
    is_short = examples.lengths < BELOW
    np.testing.assert_array_equal(fitted.scores[~is_short], alone.scores[~is_short])
    assert (fitted.scores[is_short] != alone.scores[is_short]).all()


def test_where_proteins_mislead_nucleotides_alone_tell_more(noisy: tuple[Examples, Fitted]) -> None:
    _, fitted = noisy
    assert fitted.short is not None
    for part in (VALIDATION, TEST):
        ways = fitted.short.comparison[part]
        assert ways["nucleotides"].records == ways["both_vectors"].records > 40
        assert ways["nucleotides"].auroc > ways["both_vectors"].auroc + 0.01


def test_where_proteins_tell_both_vectors_are_better(make_examples: Make) -> None:
    examples = examples_with_short_ones(make_examples, noise=0.0)
    fitted = fit_head(examples, kind=HeadKind.LOGISTIC, hidden=1, seed=1, nucleotides_below=BELOW)
    assert fitted.short is not None
    assert fitted.short.comparison[TEST]["nucleotides"].auroc < fitted.short.comparison[TEST]["both_vectors"].auroc


def test_short_records_have_calibrated_scores(noisy: tuple[Examples, Fitted]) -> None:
    examples, fitted = noisy
    test = fitted.parts[TEST]
    short = test[examples.lengths[test] < BELOW]
    assert calibration_error(fitted.scores[short], examples.virus[short]) < 0.12


def test_scores_follow_from_the_part_and_the_rule_of_all_records(noisy: tuple[Examples, Fitted]) -> None:
    examples, fitted = noisy
    assert fitted.short is not None and fitted.short.head.hidden.shape[1] == examples.nucleotide.shape[1]
    log_odds = fitted.short.head.log_odds(examples.nucleotide)
    found = sigmoid(covered_records(examples, cut_off(log_odds)).log_odds(fitted.record_score))
    is_short = examples.lengths < BELOW
    np.testing.assert_allclose(found[is_short], fitted.scores[is_short], rtol=1e-12)
    np.testing.assert_array_equal(fitted.short.are_of(examples), is_short[examples.record])


def test_segments_of_short_records_are_scored_by_the_part_too(make_examples: Make) -> None:
    examples = examples_with_short_ones(make_examples, noise=10.0)
    examples = replace(examples, is_segment=np.random.default_rng(3).random(len(examples.record)) < 0.4)
    fitted = fit_head(examples, kind=HeadKind.LOGISTIC, hidden=1, seed=1, has_segments=True, nucleotides_below=BELOW)
    assert fitted.short is not None and fitted.covered_scores is not None
    covered = fitted.covered_scores[(examples.lengths < BELOW) & (examples.frames == 0)]
    assert len(covered) > 50 and not np.isnan(covered).any()
    ways = fitted.short.comparison[TEST]
    assert ways["nucleotides"].scored == ways["nucleotides"].records
    assert ways["nucleotides"].auroc > ways["both_vectors"].auroc


@pytest.mark.parametrize("below", [100, 301])
def test_without_short_records_of_both_classes_nothing_is_fitted(make_examples: Make, below: int) -> None:
    examples = make_examples(groups=40)
    # One class alone has short records, or none has.
    lengths = np.where(examples.virus, 300, 1_000)
    with pytest.raises(InputError, match=rf"shorter than {below} bases, with an open frame, of 0 groups of") as refused:
        fit_head(replace(examples, lengths=lengths), kind=HeadKind.LOGISTIC, hidden=1, seed=1, nucleotides_below=below)
    assert "--nucleotides-below" in str(refused.value.hint)

from __future__ import annotations

import numpy as np
import pytest

from virnucpro_tasks.reference.comparison import Limits, ScoreFigures, VectorFigures, passes, worst

RANDOM = np.random.default_rng(1)
VECTORS = (RANDOM.normal(size=(50, 8)) + 20).astype(np.float32)
HALF = np.full(50, 0.5, np.float32)


def figures(found: np.ndarray) -> VectorFigures:
    return VectorFigures.of("ESM-2", "fair-esm", found, VECTORS)


def test_equal_vectors_have_cosines_of_one() -> None:
    row = figures(VECTORS).row()
    assert row.pop("model") == "ESM-2" and row.pop("reference") == "fair-esm"
    assert list(row.values()) == pytest.approx([1, 1, 1, 1])
    assert passes([figures(VECTORS)], None, Limits())


def test_the_centred_cosine_shows_what_the_common_part_hides() -> None:
    row = figures(np.roll(VECTORS, 1, axis=0)).row()
    assert row["cosine_minimum"] > 0.98 > 0.5 > row["centred_cosine_minimum"]
    assert not passes([figures(np.roll(VECTORS, 1, axis=0))], None, Limits())


def test_nan_and_a_zero_vector_never_pass() -> None:
    for value in (np.nan, 0):
        broken = VECTORS.copy()
        broken[3] = value
        centre = VECTORS.astype(np.float64).mean(axis=0)
        assert not passes([figures(broken if value else broken * 0 + centre.astype(np.float32))], None, Limits())


def test_a_tie_is_others_and_flips_are_counted_against_the_limit() -> None:
    found = HALF.copy()
    found[[4, 9]] = 0.6, np.nextafter(np.float32(0.5), np.float32(1))
    scores = ScoreFigures(found, HALF)
    assert scores.flips.tolist() == [4, 9]
    assert passes([figures(VECTORS)], scores, Limits(most_flips=0.04))
    assert not passes([figures(VECTORS)], scores, Limits(most_flips=0.039))


def test_frames_with_another_label_come_first_then_those_of_other_scores() -> None:
    found = HALF.copy()
    found[[4, 9, 12]] = 0.51, 0.1, 0.2
    assert worst([figures(VECTORS)], ScoreFigures(found, HALF), most=3) == [4, 9, 12]
    turned = VECTORS.copy()
    turned[7] = VECTORS[8]
    assert worst([figures(turned)], None, most=1) == [7]

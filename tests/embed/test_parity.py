from __future__ import annotations

import numpy as np
import pytest

from virnucpro_tasks.embed.parity import Parity

VIRUS, OTHERS = [0.1, 0.9], [0.8, 0.2]


def vectors(seed: int, count: int = 400) -> np.ndarray:
    """Vectors as similar as those of a language model: a large common part, and a small part of each."""
    random = np.random.default_rng(seed)
    return (10 + random.standard_normal((count, 16))).astype(np.float32)


def parity(reference: np.ndarray, found: np.ndarray, *, flipped: int = 0) -> Parity:
    before = np.array([VIRUS] * len(reference), np.float32)
    after = before.copy()
    after[:flipped] = OTHERS
    return Parity.of(reference, found, reference_scores=before, found_scores=after)


def test_equal_vectors_pass() -> None:
    found = parity(vectors(1), vectors(1))
    assert found.passes and found.median == pytest.approx(1) and found.minimum == pytest.approx(1) and found.flips == 0


def test_other_vectors_do_not_although_their_plain_cosine_is_near_one() -> None:
    one, other = vectors(1), vectors(2)
    plain = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert plain.min() > 0.97
    found = parity(one, other)
    assert not found.passes and abs(found.median) < 0.2


def test_one_bad_vector_of_many_fails() -> None:
    reference = vectors(1)
    found = reference.copy()
    found[7] = 2 * reference.mean(0) - reference[7]
    result = parity(reference, found)
    assert not result.passes and result.median > 0.99 and result.minimum == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize(("flipped", "passes"), [(2, True), (3, False)])
def test_calls_may_change_in_one_of_two_hundred(flipped: int, passes: bool) -> None:
    assert parity(vectors(1), vectors(1), flipped=flipped).passes is passes


def test_nan_never_passes() -> None:
    found = vectors(1)
    found[3] = np.nan
    assert not parity(vectors(1), found).passes


def test_the_text_tells_by_how_much() -> None:
    text = str(Parity(284, 0.9924, 0.9082, 0.027))
    assert "0.9924" in text and "0.9082" in text and "2.70%" in text and "284 proteins" in text

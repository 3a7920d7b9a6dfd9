from __future__ import annotations

import numpy as np

from virnucpro_tasks.classifier.exact_products import NORM_BITS, WholeVectors


def vectors(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, 300)) * 10.0 ** np.arange(-4, rows - 4)[:, None]


def test_products_are_exact() -> None:
    one, other = (WholeVectors.rounded(vectors(7, seed)) for seed in (1, 2))
    whole = [[sum(int(a) * int(b) for a, b in zip(x, y, strict=True)) for y in other.numbers] for x in one.numbers]
    np.testing.assert_array_equal(one.products(other), np.array(whole, float) * one.unit * other.unit.T)


def test_rounding_keeps_about_26_bits_of_the_norm() -> None:
    exact = vectors(7, 1)
    rounded = WholeVectors.rounded(exact)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    assert (np.abs(rounded.numbers * rounded.unit - exact) <= norms * 2.0 ** (1 - NORM_BITS)).all()
    assert (np.linalg.norm(rounded.numbers, axis=1) <= 2.0**NORM_BITS + 20).all()

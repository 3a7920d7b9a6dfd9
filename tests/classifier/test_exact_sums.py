from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from virnucpro_tasks.classifier.exact_sums import UNIT_BITS, ExactSums


def test_sums_are_exact_and_do_not_depend_on_groups() -> None:
    random = np.random.default_rng(0)
    terms = np.concatenate([random.uniform(-1, 1, 1_000), [1, -1, 2.0**-27, -(2.0**-27), 0, 0.1, -0.1]])
    (total,) = ExactSums.of(terms, np.array([0])).units
    assert Fraction(total, 1 << UNIT_BITS) == sum(map(Fraction, terms.tolist()))
    assert math.ldexp(float(total), -UNIT_BITS) == math.fsum(terms)
    firsts = np.array([0, 1, 500, 501, len(terms) - 1])
    assert sum(ExactSums.of(terms, firsts).units) == total
    assert ExactSums.of(np.array([0.5, 0.25, -1.0]), np.array([0, 2])).units == [3 << (UNIT_BITS - 2), -1 << UNIT_BITS]


def test_terms_that_are_smaller_are_rounded() -> None:
    assert ExactSums.of(np.array([1e-20, 1e-30, 0.75 * 2.0**-UNIT_BITS]), np.array([0, 1, 2])).units == [
        round(Fraction(1e-20) * (1 << UNIT_BITS)),
        0,
        1,
    ]


def test_sums_of_parts_are_those_of_the_whole() -> None:
    terms = np.random.default_rng(1).uniform(-1, 1, 300)
    firsts = np.arange(0, 300, 3)
    halves = [ExactSums.of(terms[place::3], np.arange(100)) for place in range(3)]
    assert halves[0] + halves[1] + halves[2] == ExactSums.of(terms, firsts)
    assert halves[0] != halves[1]
    assert (halves[0][10:12] + halves[0][20:22]).units == [
        one + other for one, other in zip(halves[0].units[10:12], halves[0].units[20:22], strict=True)
    ]


def test_the_nearest_number_is_that_of_the_exact_sum_however_large() -> None:
    random = np.random.default_rng(2)
    high = np.concatenate([random.integers(-(2**62), 2**62, 200), random.integers(-(2**53), 2**53, 200), [2**53, 0]])
    low = np.concatenate([random.integers(0, 2**40, 400), [1, 2**40 - 1]])
    sums = ExactSums(high, low)
    assert sums.nearest.tolist() == [float(units) for units in sums.units]

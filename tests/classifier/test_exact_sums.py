from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from virnucpro_tasks.classifier.exact_sums import UNIT_BITS, exact_sums


def test_sums_are_exact_and_do_not_depend_on_groups() -> None:
    random = np.random.default_rng(0)
    terms = np.concatenate([random.uniform(-1, 1, 1_000), [1, -1, 2.0**-27, -(2.0**-27), 0, 0.1, -0.1]])
    (total,) = exact_sums(terms, np.array([0]))
    assert Fraction(total, 1 << UNIT_BITS) == sum(map(Fraction, terms.tolist()))
    assert math.ldexp(float(total), -UNIT_BITS) == math.fsum(terms)
    firsts = np.array([0, 1, 500, 501, len(terms) - 1])
    assert sum(exact_sums(terms, firsts)) == total
    assert exact_sums(np.array([0.5, 0.25, -1.0]), np.array([0, 2])) == [3 << (UNIT_BITS - 2), -1 << UNIT_BITS]


def test_terms_that_are_smaller_are_rounded() -> None:
    assert exact_sums(np.array([1e-20, 1e-30, 0.75 * 2.0**-UNIT_BITS]), np.array([0, 1, 2])) == [
        round(Fraction(1e-20) * (1 << UNIT_BITS)),
        0,
        1,
    ]

"""Scalar products of vectors, exact and therefore equal on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NORM_BITS = 26
"""Vectors are rounded to whole numbers with a norm of at most 2**26 and a bit. By Cauchy and Schwarz every partial sum
of a product of two of them is then a whole number below 2**53, which float64 holds exactly."""


@dataclass(frozen=True, slots=True)
class WholeVectors:
    """Vectors as `numbers` times `unit`: whole numbers (n, width) and a power of two for each (n, 1), both float64."""

    numbers: np.ndarray
    unit: np.ndarray

    @classmethod
    def rounded(cls, vectors: np.ndarray) -> WholeVectors:
        """`vectors` (n, width), each value rounded to about 2**-26 of the norm of its row."""
        vectors = vectors.astype(np.float64)
        norms = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
        exponents = np.frexp(norms)[1] - NORM_BITS
        return cls(np.rint(vectors * np.ldexp(1.0, -exponents)), np.ldexp(1.0, exponents))

    def products(self, others: WholeVectors) -> np.ndarray:
        """Scalar products of all rows, float64 (n, n of `others`).

        They are exact, so neither the order in which BLAS adds nor its number of threads can change a bit.
        """
        return (self.numbers @ others.numbers.T) * self.unit * others.unit.T

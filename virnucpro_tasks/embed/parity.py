"""Comparison of a faster computation with a reference by vectors and calls, and the limits within which it is accepted.

The cosine is taken after the mean vector was subtracted: vectors of one model are so alike that the plain cosine of
any two of them is close to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

LEAST_MEDIAN = 0.99
LEAST_MINIMUM = 0.95
MOST_FLIPS = 0.005


@dataclass(frozen=True, slots=True)
class Parity:
    """Median and smallest centred cosine over `sequences` vectors, and the share of calls that changed (0 to 1)."""

    sequences: int
    median: float
    minimum: float
    flips: float

    @classmethod
    def of(
        cls,
        reference: NDArray[np.float32],
        found: NDArray[np.float32],
        *,
        reference_scores: NDArray[np.float32],
        found_scores: NDArray[np.float32],
    ) -> Self:
        """Compare vectors (n, width) and scores (n, classes), row by row of the same sequences; n is 2 or more."""
        centre = reference.mean(axis=0)
        one, other = reference - centre, found - centre
        norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosines = (one * other).sum(axis=1) / norms
        flips = reference_scores.argmax(axis=1) != found_scores.argmax(axis=1)
        return cls(len(reference), float(np.median(cosines)), float(cosines.min()), float(flips.mean()))

    @property
    def passes(self) -> bool:
        """Whether all three are within their limits; NaN never is."""
        return self.median >= LEAST_MEDIAN and self.minimum >= LEAST_MINIMUM and self.flips <= MOST_FLIPS

    def __str__(self) -> str:
        return (
            f"centred cosine {self.median:.4f} in the median (at least {LEAST_MEDIAN}), {self.minimum:.4f} at worst "
            f"(at least {LEAST_MINIMUM}), {self.flips:.2%} of calls changed (at most {MOST_FLIPS:.1%}), "
            f"{self.sequences} proteins"
        )

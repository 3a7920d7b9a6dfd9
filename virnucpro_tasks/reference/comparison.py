"""Figures on how far vectors and scores are from those of a reference, and whether that is near enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Limits:
    """Least centred cosine of any vector, and the largest share (0 to 1) of frames that get another label."""

    least_cosine: float = 0.99
    most_flips: float = 0.001


@dataclass(frozen=True, slots=True)
class VectorFigures:
    """Cosines of the vectors of one model with those of a reference, as they are and after the mean was subtracted.

    `cosines` and `centred` are (n,) float64. Vectors of one model have a large common part, which hides differences
    from the plain cosine.
    """

    model: str
    reference: str
    cosines: NDArray[np.float64]
    centred: NDArray[np.float64]

    @classmethod
    def of(cls, model: str, reference: str, found: Vectors, expected: Vectors) -> Self:
        """Compare vectors (n, width), row by row of the same sequences; n is 2 or more."""
        ours, theirs = found.astype(np.float64), expected.astype(np.float64)
        centre = theirs.mean(axis=0)
        return cls(model, reference, _cosines(ours, theirs), _cosines(ours - centre, theirs - centre))

    def row(self) -> dict[str, str | float]:
        """The figures by name."""
        return {
            "model": self.model,
            "reference": self.reference,
            "cosine_median": float(np.median(self.cosines)),
            "cosine_minimum": float(self.cosines.min()),
            "centred_cosine_median": float(np.median(self.centred)),
            "centred_cosine_minimum": float(self.centred.min()),
        }


@dataclass(frozen=True, slots=True)
class ScoreFigures:
    """P(virus) of each frame by the package and by the reference, both (n,) float32."""

    found: NDArray[np.float32]
    expected: NDArray[np.float32]

    @property
    def flips(self) -> NDArray[np.intp]:
        """The frames with another label; a tie is `others`, as in the original."""
        half = np.float32(0.5)
        return np.flatnonzero((self.found > half) != (self.expected > half))

    @property
    def differences(self) -> NDArray[np.float32]:
        """How far each P(virus) is from the reference's."""
        return np.abs(self.found - self.expected)


def passes(vectors: list[VectorFigures], scores: ScoreFigures | None, limits: Limits) -> bool:
    """Whether all is within the limits; NaN never is."""
    near = all(figures.centred.min() >= limits.least_cosine for figures in vectors)
    return near and (scores is None or len(scores.flips) <= limits.most_flips * len(scores.found))


def worst(vectors: list[VectorFigures], scores: ScoreFigures | None, *, most: int) -> list[int]:
    """The places of the frames that differ most: those with another label, then by score, without a head by vector."""
    centred = np.min([figures.centred for figures in vectors], axis=0)
    if scores is None:
        return np.argsort(centred, kind="stable")[:most].tolist()
    flipped = np.zeros(len(centred), np.bool_)
    flipped[scores.flips] = True
    return np.lexsort((centred, -scores.differences, ~flipped))[:most].tolist()


def _cosines(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.divide((one * other).sum(axis=1), norms, out=np.full(len(one), np.nan), where=norms > 0)

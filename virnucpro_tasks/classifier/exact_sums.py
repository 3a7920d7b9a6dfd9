"""Exact sums of floating-point numbers, which do not depend on how the terms are grouped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UNIT_BITS = 80
"""Sums are whole multiples of 2**-UNIT_BITS. A float64 of at least 2**-27 is one; a smaller term is rounded to one."""

_LIMB_BITS = UNIT_BITS // 2
"""A term is two whole numbers of so many bits: an int64 holds the sum of 2**22, more chunks than a shard has."""
_LOW_LIMB = (1 << _LIMB_BITS) - 1
_FLOAT_BITS = np.finfo(np.float64).nmant + 1


@dataclass(frozen=True, slots=True, eq=False)
class ExactSums:
    """Sums of n groups of terms, (n,) int64 each: `high` · 2**40 + `low` units, with `low` from 0 to 2**40 - 1."""

    high: npt.NDArray[np.int64]
    low: npt.NDArray[np.int64]

    @classmethod
    def of(cls, terms: npt.NDArray[np.float64], firsts: npt.NDArray[np.intp]) -> ExactSums:
        """Sum each group of `terms` (m,), all between -1 and 1; groups begin at `firsts` (n,)."""
        scaled = np.ldexp(terms, _LIMB_BITS)
        high = np.trunc(scaled)
        low = np.rint(np.ldexp(scaled - high, _LIMB_BITS))
        return cls._carried(*(np.add.reduceat(limb.astype(np.int64), firsts) for limb in (high, low)))

    @classmethod
    def _carried(cls, high: npt.NDArray[np.int64], low: npt.NDArray[np.int64]) -> ExactSums:
        return cls(high + (low >> _LIMB_BITS), low & _LOW_LIMB)

    def __len__(self) -> int:
        return len(self.high)

    def __getitem__(self, places: slice) -> ExactSums:
        return ExactSums(self.high[places], self.low[places])

    def __add__(self, other: ExactSums) -> ExactSums:
        """The sums of both groups at each place."""
        return self._carried(self.high + other.high, self.low + other.low)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExactSums) and self.units == other.units

    @property
    def units(self) -> list[int]:
        """The sums, exactly."""
        return [(more << _LIMB_BITS) + less for more, less in zip(self.high.tolist(), self.low.tolist(), strict=True)]

    @property
    def nearest(self) -> npt.NDArray[np.float64]:
        """The float64 nearest to each sum, in units."""
        # Both limbs are float64 but for the largest sums, so that only their addition rounds.
        found: npt.NDArray[np.float64] = np.ldexp(self.high.astype(np.float64), _LIMB_BITS) + self.low.astype(
            np.float64
        )
        for place in np.flatnonzero(np.abs(self.high) >> _FLOAT_BITS).tolist():
            (found[place],) = map(float, self[place : place + 1].units)
        return found

"""Exact sums of floating-point numbers, which do not depend on how the terms are grouped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UNIT_BITS = 80
"""Sums are whole multiples of 2**-UNIT_BITS. A float64 of at least 2**-27 is one; a smaller term is rounded to one."""

_LIMB_BITS = UNIT_BITS // 2
"""A term is two whole numbers of so many bits: an int64 holds the sum of 2**22, more chunks than a shard has."""


def exact_sums(terms: npt.NDArray[np.float64], firsts: npt.NDArray[np.intp]) -> list[int]:
    """Sum each group of `terms` (n,), all between -1 and 1, in units of 2**-UNIT_BITS; groups begin at `firsts`."""
    scaled = np.ldexp(terms, _LIMB_BITS)
    high = np.trunc(scaled)
    low = np.rint(np.ldexp(scaled - high, _LIMB_BITS))
    sums = (np.add.reduceat(limb.astype(np.int64), firsts).tolist() for limb in (high, low))
    return [(more << _LIMB_BITS) + less for more, less in zip(*sums, strict=True)]

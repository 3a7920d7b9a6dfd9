"""Bins of the log-odds of records: what is counted in them depends neither on the order of records nor on shards."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

BINS_A_UNIT = 64
"""Records in one bin have odds that differ by less than 1.6 %, and count as equally likely viruses."""

FURTHEST = 32
"""Log-odds beyond this, of either sign, are in the outermost bins: less than one in 10**13 is wrong there."""

BINS = 2 * FURTHEST * BINS_A_UNIT

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def bins_of(log_odds: Floats) -> Integers:
    """The bin of each of some log-odds (n,), int64. Those of records called virus are BINS / 2 and more."""
    places = np.floor(np.clip(log_odds, -FURTHEST, FURTHEST) * BINS_A_UNIT).astype(np.int64)
    return np.minimum(places + BINS // 2, BINS - 1)


@cache
def bin_log_odds() -> tuple[float, ...]:
    """The log-odds in the middle of each bin."""
    return tuple((place + 0.5) / BINS_A_UNIT - FURTHEST for place in range(BINS))


@cache
def bin_odds() -> Floats:
    """The odds in the middle of each bin, float64 (BINS,); nobody can write to them."""
    odds = np.array([math.exp(value) for value in bin_log_odds()])
    odds.flags.writeable = False
    return odds

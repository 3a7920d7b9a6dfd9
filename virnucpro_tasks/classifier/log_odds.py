"""Log-odds of frames as whole numbers, so that their sums do not depend on how a record is spread over shards."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

LOG_ODDS_BITS = 32
"""Log-odds are summed as whole multiples of 2**-32. An int64 holds the sum of 2**26 frames, more than a shard has."""

LARGEST_LOG_ODDS = 16.0
"""Log-odds of a frame are cut off at this value of either sign, 1 to 9 million: one frame must not decide a long
record, and a float32 next to 1 tells no larger odds.
"""

_LEAST = float(np.finfo(np.float32).smallest_subnormal)
_LEAST_ODDS, _MOST_ODDS = math.exp(-LARGEST_LOG_ODDS), math.exp(LARGEST_LOG_ODDS)


def frame_log_odds(
    others: npt.NDArray[np.floating[Any]], virus: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.int64]:
    """log P(virus) / P(others) of frames, natural, in units of 2**-LOG_ODDS_BITS, from both probabilities, (n,) each.

    Values are cut off at LARGEST_LOG_ODDS. A frame's value is the same whatever other frames are given.
    """
    odds = np.maximum(virus.astype(np.float64), _LEAST) / np.maximum(others.astype(np.float64), _LEAST)
    # One by one: the last bit of NumPy's logarithm may depend on the place in the array.
    logarithms = np.array([math.log(value) for value in np.clip(odds, _LEAST_ODDS, _MOST_ODDS).tolist()])
    return np.rint(np.ldexp(logarithms, LOG_ODDS_BITS)).astype(np.int64)


def probability(log_odds: float) -> float:
    """1 / (1 + exp(-`log_odds`)), without overflow; NaN of NaN."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1 + odds)

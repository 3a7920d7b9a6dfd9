"""Scores as the Broad's tool reads them back from its own text: its parser, pandas' default one, can miss a digit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_EXACT_DIGITS = 15
"""Decimal digits that a float64 always holds exactly."""
_READ_DIGITS = 17
"""Digits that pandas reads."""
_DECIMALS = _READ_DIGITS - 1
"""Digits of these that follow a leading zero and the point."""
_LEAST_PLAIN = 1e-4
"""Python writes smaller numbers with an exponent."""

_BITS = np.finfo(np.float32).nmant + 1
_SPARE_BITS = np.finfo(np.float64).nmant + 1 - _BITS
_FIVES = 5**_DECIMALS
_HALF_STEP = _FIVES >> (_SPARE_BITS + 1)
"""Half a step of a float64, in the unit of `_decimals`, rounded down."""


def read_back(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """`scores` (n,), written with the fewest digits that tell a float64 from its neighbours, as pandas reads them."""
    read = scores.astype(np.float64)
    is_plain = (read >= _LEAST_PLAIN) & (read < 1)
    read[is_plain] = _decimals(scores[is_plain]) / 10.0**_DECIMALS
    read[~is_plain] = [read_number(repr(score)) for score in read[~is_plain].tolist()]
    return read


def _decimals(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """The first 16 decimals of `scores` as they are written: those of the shortest number within half a step.

    A score is a whole number of 24 bits times a power of two, so its product with 10**16 is exact in units of a power
    of two, and half a step has one size in these units.
    """
    fractions, exponents = np.frexp(scores)
    shifts = _BITS - _DECIMALS - exponents.astype(np.int64)
    products = np.ldexp(fractions, _BITS).astype(np.int64) * _FIVES
    units = np.left_shift(np.int64(1), shifts)
    below = np.right_shift(products, shifts)
    rests = products - (below << shifts)
    is_near_below, is_near_above = rests <= _HALF_STEP, units - rests <= _HALF_STEP
    is_above_closer = (2 * rests > units) | ((2 * rests == units) & (below & 1 == 1))
    # Of two numbers that would do the shorter one is written, and of two with 16 decimals the closer one.
    last_digits = below % 10
    prefers_above = (last_digits != 0) & ((last_digits == 9) | is_above_closer)
    return below + (is_near_above & (prefers_above | ~is_near_below))


def read_number(text: str) -> float:
    """The number that pandas' default parser makes of `text`.

    The parser (`precise_xstrtod` of pandas) collects the first 17 digits in a float64, zeros before and after the
    point included, one by one, drops the others, and divides by a power of ten; both round.
    """
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction[: _READ_DIGITS - len(whole)]
    digits = whole + fraction
    number = float(digits[:_EXACT_DIGITS])
    for digit in digits[_EXACT_DIGITS:]:
        number = number * 10.0 + float(digit)
    return number / float(f"1e{len(fraction) - int(exponent or 0)}")

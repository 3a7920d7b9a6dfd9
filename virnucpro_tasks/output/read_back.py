"""Scores as the Broad's tool reads them back from its own text: its parser, pandas' default one, can miss a digit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_EXACT_DIGITS = 15
"""Decimal digits that a float64 always holds exactly."""
_READ_DIGITS = 17
"""Digits that pandas reads."""
_READ_DECIMALS = _READ_DIGITS - 1
"""Digits of these that follow a leading zero and the point."""
_LEAST_PLAIN = 1e-4
"""Python writes smaller numbers with an exponent."""


def read_back(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """`scores` (n,), written with all digits of a float64 and read by pandas."""
    exact = scores.astype(np.float64)
    read = np.empty_like(exact)
    is_plain = (exact >= _LEAST_PLAIN) & (exact < 1)
    written = pc.cast(pa.array(exact[is_plain]), pa.string())
    decimals = pc.utf8_rpad(pc.utf8_slice_codeunits(written, 2, 2 + _READ_DECIMALS), _READ_DECIMALS, "0")
    read[is_plain] = np.array(pc.cast(decimals, pa.int64()), np.float64) / 10.0**_READ_DECIMALS
    read[~is_plain] = [read_number(repr(score)) for score in exact[~is_plain].tolist()]
    return read


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

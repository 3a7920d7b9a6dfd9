"""Natural order of ids, in which runs of digits compare as numbers: contig_2 comes before contig_10."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DIGITS = re.compile(rb"([0-9]+)")
_LOW = re.compile(rb"[\0\1]")
_BETWEEN = b"\n"


def natural_keys(ids: Iterable[bytes]) -> list[bytes]:
    """Bytes that sort as the ids do in natural order, with letters of either case alike. No white space is added; the
    ids hold none.

    A number is written as its digits behind their count, behind the count of digits of that; NUL, which ends the text
    before it, sorts before any other text.
    """
    ids = list(ids)
    if not ids:
        return []
    # All ids at once: this is done for every record.
    text = _BETWEEN.join(ids).lower()
    if b"\0" in text or b"\1" in text:
        text = _LOW.sub(lambda found: b"\1\1" if found[0] == b"\0" else b"\1\2", text)
    parts = _DIGITS.split(text)
    numbers = [digits.lstrip(b"0") for digits in parts[1::2]]
    before = {count: _before_digits(count) for count in set(map(len, numbers))}
    parts[1::2] = [before[len(digits)] + digits for digits in numbers]
    return b"".join(parts).split(_BETWEEN)


def _before_digits(count: int) -> bytes:
    written = b"%d" % count
    return b"\0%d%b" % (len(written), written)

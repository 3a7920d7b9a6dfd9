"""Natural order of ids, in which runs of digits compare as numbers: contig_2 comes before contig_10."""

from __future__ import annotations

import re

_DIGITS = re.compile(rb"[0-9]+")
_LOW = re.compile(rb"[\0\1]")


def natural_key(record_id: bytes) -> bytes:
    """Bytes that sort as `record_id` does in natural order, with letters of either case alike; no white space is added.

    A number is written as its digits behind their count, behind the count of digits of that; NUL, which ends the text
    before it, sorts before any other text.
    """
    text = record_id.lower()
    if b"\0" in text or b"\1" in text:
        text = _LOW.sub(lambda found: b"\1\1" if found[0] == b"\0" else b"\1\2", text)
    return _DIGITS.sub(_number, text)


def _number(found: re.Match[bytes]) -> bytes:
    digits = found[0].lstrip(b"0")
    count = b"%d" % len(digits)
    return b"\0%d%b%b" % (len(count), count, digits)

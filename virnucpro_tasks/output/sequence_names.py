"""Ids as names of sequences in BED, bedGraph and GFF3: percent-encoded where the format, or its readers, need it.

`urllib.parse.unquote_to_bytes` gives the id back. Ordinary ids stay as they are, as in FASTA.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable

_READ_AS_HEADER = re.compile(rb"[#>!@]|track|browser|visibility|chrom$|\.$")
"""Readers take a line that begins so for a comment or a header, and a name of a dot for none."""

_LIKE_A_HEADER = re.compile(rb"\n(?:track|browser|visibility|chrom|\.)")
_HARMLESS = string.ascii_letters.encode() + string.digits.encode() + b"._:|+-"

_LOOKS_ENCODED = re.compile(rb"%(?=[0-9A-Fa-f]{2})")


def _letters(fit: bytes) -> list[bytes]:
    """Each byte as it is written in a name, if it is among `fit` as it is."""
    return [bytes([byte]) if byte in fit else b"%%%02X" % byte for byte in range(256)]


_OF_BED = _letters(bytes(byte for byte in range(ord("!"), ord("~") + 1) if byte != ord('"')))
"""All but visible ASCII is encoded, and quotes, which readers of tables take for their own."""

_OF_GFF = _letters(string.ascii_letters.encode() + string.digits.encode() + b".:^*$@!+_?|-")
"""All but the letters that the specification allows in a seqid."""


def bed_names(ids: Iterable[bytes]) -> list[bytes]:
    """Ids as the first column of BED and bedGraph."""
    return _encoded(ids, _OF_BED)


def gff_names(ids: Iterable[bytes]) -> list[bytes]:
    """Ids as the first column of GFF3, by its specification; fewer letters stay than in BED."""
    return _encoded(ids, _OF_GFF)


def _encoded(ids: Iterable[bytes], letters: list[bytes]) -> list[bytes]:
    ids = list(ids)
    # All at once first, much faster than one by one: nearly all ids are harmless.
    lines = b"\n".join((b"", *ids))
    if len(lines.translate(None, _HARMLESS)) == len(ids) and not _LIKE_A_HEADER.search(lines):
        return ids
    names = {name: _name(name, letters) for name in set(ids)}
    return [names[name] for name in ids]


def _name(record_id: bytes, letters: list[bytes]) -> bytes:
    # What looks encoded is encoded once more.
    parts = _LOOKS_ENCODED.split(record_id)
    name = b"%25".join([b"".join([letters[byte] for byte in part]) for part in parts])
    if _READ_AS_HEADER.match(record_id) and name[0] == record_id[0]:
        return b"%%%02X%b" % (record_id[0], name[1:])
    return name

"""Ids as names of sequences in BED, bedGraph and GFF3: percent-encoded where the format, or its readers, need it.

`urllib.parse.unquote_to_bytes` gives the id back. Ordinary ids stay as they are, as in FASTA.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable

_READ_AS_HEADER = rb"^(?:[#>!@]|track|browser|visibility|chrom$|\.$)"
"""Readers take a line that begins so for a comment or a header, and a name of a dot for none."""

_LIKE_A_HEADER = re.compile(rb"\n(?:track|browser|visibility|chrom|\.)")
_HARMLESS = string.ascii_letters.encode() + string.digits.encode() + b"._:|+-"

_UNFIT_FOR_BED = re.compile(_READ_AS_HEADER + rb'|[^!-~]|"|%(?=[0-9A-Fa-f]{2})')
"""All but visible ASCII, quotes, which readers of tables take for their own, and what looks encoded."""

_UNFIT_FOR_GFF = re.compile(_READ_AS_HEADER + rb"|[^a-zA-Z0-9.:^*$@!+_?|-]")
"""All but the letters that the specification allows in a seqid."""


def bed_names(ids: Iterable[bytes]) -> list[bytes]:
    """Ids as the first column of BED and bedGraph."""
    return _encoded(ids, _UNFIT_FOR_BED)


def gff_names(ids: Iterable[bytes]) -> list[bytes]:
    """Ids as the first column of GFF3, by its specification; fewer letters stay than in BED."""
    return _encoded(ids, _UNFIT_FOR_GFF)


def _encoded(ids: Iterable[bytes], unfit: re.Pattern[bytes]) -> list[bytes]:
    ids = list(ids)
    # All at once first, much faster than the expression: nearly all ids are harmless.
    lines = b"\n".join((b"", *ids))
    if len(lines.translate(None, _HARMLESS)) == len(ids) and not _LIKE_A_HEADER.search(lines):
        return ids
    names = {name: unfit.sub(_percent_encoded, name) for name in set(ids)}
    return [names[name] for name in ids]


def _percent_encoded(match: re.Match[bytes]) -> bytes:
    """The first byte of a match encoded, the others as they are."""
    found = match[0]
    return b"%%%02X%b" % (found[0], found[1:])

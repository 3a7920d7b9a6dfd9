"""A baseline of `virnucpro evaluate` that learns nothing: the longest open reading frame of a record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.kmers import BASE_CODES

_STOPS = [BASE_CODES[list(codon)] @ [16, 4, 1] for codon in (b"TAA", b"TAG", b"TGA")]


def longest_open_share(sequence: bytes) -> float:
    """The longest stretch of codons without a stop codon (standard code), over six frames, as a share of all codons.

    It need not begin with a start codon. A codon with an ambiguous base ends a stretch as a stop codon does. 0 for a
    sequence shorter than a codon.
    """
    codes = BASE_CODES[np.frombuffer(sequence, np.uint8)]
    if len(codes) < 3:
        return 0.0
    longest = 0
    for strand in (codes, np.where(codes >= 0, 3 - codes, -1)[::-1]):
        for offset in range(3):
            codons = strand[offset : offset + (len(strand) - offset) // 3 * 3].reshape(-1, 3)
            ends = (codons < 0).any(axis=1) | np.isin(codons @ [16, 4, 1], _STOPS)
            longest = max(longest, _longest_run(ends))
    return longest / (len(codes) // 3)


def _longest_run(ends: NDArray[np.bool_]) -> int:
    """Length of the longest run of False."""
    borders = np.concatenate([[-1], np.flatnonzero(ends), [len(ends)]])
    return int(np.diff(borders).max()) - 1

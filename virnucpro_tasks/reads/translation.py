"""Translates both strands of many chunks at once; the residues of every frame are contiguous.

A codon with a letter other than A, C, G, T gives the placeholder DROPPED. The complement exchanges A/T and C/G only; N
and IUPAC letters stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

CODON_BASES = 3
FRAMES_PER_STRAND = 3
FRAMES = 2 * FRAMES_PER_STRAND

GENETIC_CODE = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
"""NCBI translation table 1, codons in the order T, C, A, G."""
CODE_ORDER = b"TCAG"

DROPPED = b"\0"
"""Placeholder for the residue of an ambiguous codon."""
STOP = b"*"

Int64Array = npt.NDArray[np.int64]

_AMBIGUOUS = 4
_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")


def _base_codes() -> bytes:
    codes = bytearray([_AMBIGUOUS]) * 256
    for code, base in enumerate(CODE_ORDER):
        codes[base] = code
    return bytes(codes)


def _residues() -> bytes:
    table = np.full((5, 5, 5), DROPPED[0], np.uint8)
    table[:4, :4, :4] = np.frombuffer(GENETIC_CODE.encode(), np.uint8).reshape(4, 4, 4)
    return table.tobytes().ljust(256, DROPPED)


_BASE_CODES = _base_codes()
_RESIDUES = _residues()


@dataclass(frozen=True, slots=True)
class Ragged:
    """Concatenated byte strings: string i is content[offsets[i]:offsets[i+1]]."""

    content: bytes
    offsets: Int64Array

    @classmethod
    def slices(cls, text: bytes, starts: Int64Array, lengths: Int64Array) -> Self:
        """The strings text[starts[i]:starts[i] + lengths[i]]."""
        # Slicing bytes is several times faster here than indexing with an array of positions.
        ends = starts + lengths
        pieces = [text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        return cls(b"".join(pieces), offsets_of(lengths))


@dataclass(frozen=True, slots=True)
class Translation:
    """The six frames (F1, F2, F3, R1, R2, R3) of n chunks in both strands of their bases.

    `strands` are the bases and their reverse complement, so that every frame is read forward; `residues` are those of
    the codons at all positions, frame by frame. `first` (n, 6) is the position in `strands` of a frame's first base,
    `lengths` (n, 6) its bases up to the end of the chunk, `codon` (n, 6) the position in `residues` of its first codon,
    `codon_counts` (n, 6) its whole codons.
    """

    strands: bytes
    residues: bytes
    first: Int64Array
    lengths: Int64Array
    codon: Int64Array
    codon_counts: Int64Array

    @classmethod
    def of(cls, bases: bytes, starts: Int64Array, ends: Int64Array) -> Self:
        """Translate the chunks bases[starts[i]:ends[i]]; `bases` are upper-case letters, chunks may overlap."""
        strands = bases + other_strand(bases)
        residues, rows = _translated(strands)
        first = np.stack([starts, len(strands) - ends], axis=1)[:, :, None] + np.arange(FRAMES_PER_STRAND)
        first = first.reshape(-1, FRAMES)
        lengths = np.tile(np.maximum((ends - starts)[:, None] - np.arange(FRAMES_PER_STRAND), 0), 2)
        row, phase = np.divmod(first, CODON_BASES)
        return cls(strands, residues, first, lengths, codon=phase * rows + row, codon_counts=lengths // CODON_BASES)


def other_strand(bases: bytes) -> bytes:
    """The other strand of upper-case letters, in its reading direction."""
    return bases.translate(_COMPLEMENT)[::-1]


def offsets_of(lengths: Int64Array) -> Int64Array:
    """Offsets of consecutive pieces: 0 and the sums of all lengths up to each."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


def counted_before(letter: bytes, text: bytes) -> npt.NDArray[np.int32]:
    """For every position of `text` (n,) and its end, how often `letter` occurs before it: int32 (n + 1,)."""
    before = np.zeros(len(text) + 1, np.int32)
    np.cumsum(np.frombuffer(text, np.uint8) == letter[0], out=before[1:])
    return before


def _translated(strands: bytes) -> tuple[bytes, int]:
    """The residue of the codon at every position p, stored at [p % 3 * rows + p // 3], and `rows`.

    In this order the residues of a frame are contiguous.
    """
    rows = len(strands) // CODON_BASES + 2
    codes = strands.translate(_BASE_CODES).ljust(CODON_BASES * (rows + 1), bytes([_AMBIGUOUS]))
    by_phase = np.ascontiguousarray(np.frombuffer(codes, np.uint8).reshape(-1, CODON_BASES).T)
    bases = [*by_phase[:, :-1], *by_phase[:, 1:]]
    codons = [bases[phase] * 25 + bases[phase + 1] * 5 + bases[phase + 2] for phase in range(CODON_BASES)]
    return np.concatenate(codons).tobytes().translate(_RESIDUES), rows

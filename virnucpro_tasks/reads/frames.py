"""Six-frame translation of many chunks at once, with the original tool's rules.

The published classifiers were trained on frames made this way, so its oddities are kept:

* a codon with anything but A, C, G, T is dropped, not turned into X, and later residues close up;
* a frame with a stop codon anywhere is not used, nor is one without any residue;
* the nucleotides of frame f (1-3) with p residues are T[f-1 : f+3p] of its strand T: SPARE_BASES more than the codons
  take where the chunk has them, and too short by three for each dropped codon;
* the complement exchanges A/T and C/G only; N and IUPAC letters stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CODON_BASES = 3
FRAMES_PER_STRAND = 3
SPARE_BASES = 1
"""The slice ends one base late: an off-by-one of the original that its training data has."""

GENETIC_CODE = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
"""NCBI table 1, codons in the order of TCAG."""
_CODE_ORDER = b"TCAG"

_AMBIGUOUS = 4
_DROPPED = 0
"""Stands for the residue of an ambiguous codon."""
_AMBIGUOUS_SHIFT = 32
_STOP_MASK = (1 << _AMBIGUOUS_SHIFT) - 1
"""One sum counts both: stops in the low half of a 64-bit integer, ambiguous codons in the high half."""

Int64Array = npt.NDArray[np.int64]
Uint8Array = npt.NDArray[np.uint8]


def _base_codes() -> Uint8Array:
    codes = np.full(256, _AMBIGUOUS, np.uint8)
    codes[list(_CODE_ORDER)] = range(4)
    return codes


def _residues() -> Uint8Array:
    table = np.full((5, 5, 5), _DROPPED, np.uint8)
    table[:4, :4, :4] = np.frombuffer(GENETIC_CODE.encode(), np.uint8).reshape(4, 4, 4)
    return table.reshape(-1)


def _faults(residues: Uint8Array) -> Int64Array:
    return (residues == ord("*")).astype(np.int64) + ((residues == _DROPPED).astype(np.int64) << _AMBIGUOUS_SHIFT)


_BASE_CODES = _base_codes()
_RESIDUES = _residues()
_FAULTS = _faults(_RESIDUES)
_COMPLEMENT = np.frombuffer(bytes.maketrans(b"ACGT", b"TGCA"), np.uint8)


@dataclass(frozen=True, slots=True)
class Ragged:
    """Byte strings one after another: string i is content[offsets[i]:offsets[i+1]]."""

    content: Uint8Array
    offsets: Int64Array


@dataclass(frozen=True, slots=True)
class OpenFrames:
    """The open frames of n chunks, m in all, ordered by chunk and then by frame (F1, F2, F3, R1, R2, R3)."""

    counts: npt.NDArray[np.int8]  # (n,) open frames of each chunk
    has_codon: npt.NDArray[np.bool_]  # (n,) whether the chunk has an unambiguous codon in any frame
    chunks: Int64Array  # (m,) index of the chunk
    frames: npt.NDArray[np.int8]  # (m,) 0-5
    nucleotides: Ragged  # m strings
    proteins: Ragged  # m strings


def open_frames(bases: Uint8Array, starts: Int64Array, ends: Int64Array) -> OpenFrames:
    """Translate the chunks bases[starts[i]:ends[i]] in six frames and keep those without a stop.

    `bases` are upper-case letters; chunks may overlap, touch and come in any order.
    """
    # With the reverse complement of everything behind it, every frame reads forward.
    strands = np.concatenate([bases, _COMPLEMENT[bases[::-1]]])
    codons = _codons(strands)
    first = np.stack([starts, 2 * len(bases) - ends], axis=1)[:, :, None] + np.arange(FRAMES_PER_STRAND)
    first = first.reshape(-1, 2 * FRAMES_PER_STRAND)
    lengths = np.tile(np.maximum((ends - starts)[:, None] - np.arange(FRAMES_PER_STRAND), 0), 2)
    codon_counts = lengths // CODON_BASES

    faults = _sums_by_three(_FAULTS[codons])
    totals = faults[first + CODON_BASES * codon_counts] - faults[first]
    residue_counts = codon_counts - (totals >> _AMBIGUOUS_SHIFT)
    is_open = (residue_counts > 0) & ((totals & _STOP_MASK) == 0)
    has_codon = (residue_counts > 0).any(axis=1)

    chunks, frames = np.nonzero(is_open)
    first, codon_counts, residue_counts = first[is_open], codon_counts[is_open], residue_counts[is_open]
    slices = np.minimum(CODON_BASES * residue_counts + SPARE_BASES, lengths[is_open])
    residues = _RESIDUES[codons[_positions(first, codon_counts, CODON_BASES)]]
    return OpenFrames(
        counts=is_open.sum(axis=1).astype(np.int8),
        has_codon=has_codon,
        chunks=chunks.astype(np.int64),
        frames=frames.astype(np.int8),
        nucleotides=Ragged(strands[_positions(first, slices, 1)], _offsets(slices)),
        proteins=Ragged(residues[residues != _DROPPED], _offsets(residue_counts)),
    )


def _codons(strands: Uint8Array) -> Uint8Array:
    """Index into the residue table of the codon that begins at each position; the last two are ambiguous."""
    codes = _BASE_CODES[strands]
    codons = np.full(len(strands), len(_RESIDUES) - 1, np.uint8)
    if len(strands) >= CODON_BASES:
        codons[:-2] = codes[:-2] * 25 + codes[1:-1] * 5 + codes[2:]
    return codons


def _sums_by_three(values: Int64Array) -> Int64Array:
    """sums[i] = values[i-3] + values[i-6] + …, so that a frame's total is the difference of two of them."""
    rows = -(-len(values) // CODON_BASES) + 1
    padded = np.zeros((rows, CODON_BASES), np.int64)
    padded.reshape(-1)[CODON_BASES : CODON_BASES + len(values)] = values
    return np.cumsum(padded, axis=0, out=padded).reshape(-1)


def _offsets(lengths: Int64Array) -> Int64Array:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


def _positions(first: Int64Array, counts: Int64Array, step: int) -> Int64Array:
    """first[0], first[0] + step, … (counts[0] of them), then the same for first[1], and so on."""
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) * step + np.repeat(first - before * step, counts)

"""Translates many chunks in six frames at once, by the rules of the original tool.

The published classifiers were trained on frames made by these rules, so their oddities are kept:

* a codon with a letter other than A, C, G, T is left out of the protein (not turned into X);
* a frame with a stop codon anywhere, or without any residue, is not used;
* the nucleotides of frame f (1-3) with p residues are T[f-1 : f+3p] of its strand T: SPARE_BASES longer than the codons
  if the chunk has so many bases, and three bases too short for each codon left out;
* the complement exchanges A/T and C/G only; N and IUPAC letters stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CODON_BASES = 3
FRAMES_PER_STRAND = 3
SPARE_BASES = 1
"""The slice ends one base late: an off-by-one error of the original tool, also in its training data."""

GENETIC_CODE = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
"""NCBI translation table 1, codons in the order T, C, A, G."""
_CODE_ORDER = b"TCAG"

_AMBIGUOUS = 4
_DROPPED = b"\0"
"""Placeholder for the residue of an ambiguous codon."""
_STOP = b"*"

Int64Array = npt.NDArray[np.int64]

_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")


def _base_codes() -> bytes:
    codes = bytearray([_AMBIGUOUS]) * 256
    for code, base in enumerate(_CODE_ORDER):
        codes[base] = code
    return bytes(codes)


def _residues() -> bytes:
    table = np.full((5, 5, 5), _DROPPED[0], np.uint8)
    table[:4, :4, :4] = np.frombuffer(GENETIC_CODE.encode(), np.uint8).reshape(4, 4, 4)
    return table.tobytes().ljust(256, _DROPPED)


_BASE_CODES = _base_codes()
_RESIDUES = _residues()


@dataclass(frozen=True, slots=True)
class Ragged:
    """Concatenated byte strings: string i is content[offsets[i]:offsets[i+1]]."""

    content: bytes
    offsets: Int64Array


@dataclass(frozen=True, slots=True)
class OpenFrames:
    """The m open frames (no stop codon) of n chunks, ordered by chunk and then by frame (F1, F2, F3, R1, R2, R3)."""

    counts: npt.NDArray[np.int8]  # (n,) open frames of each chunk
    has_codon: npt.NDArray[np.bool_]  # (n,) whether the chunk has an unambiguous codon in any frame
    chunks: Int64Array  # (m,) index of the chunk
    frames: npt.NDArray[np.int8]  # (m,) 0-5
    nucleotides: Ragged  # m strings
    proteins: Ragged  # m strings


def open_frames(bases: bytes, starts: Int64Array, ends: Int64Array) -> OpenFrames:
    """Translate the chunks bases[starts[i]:ends[i]] in six frames and keep the frames without a stop codon.

    `bases` are upper-case letters; chunks may overlap and come in any order.
    """
    # The reverse complement is appended, so that every frame is read forward.
    strands = bases + bases.translate(_COMPLEMENT)[::-1]
    residues, rows = _translated(strands)
    first = np.stack([starts, len(strands) - ends], axis=1)[:, :, None] + np.arange(FRAMES_PER_STRAND)
    first = first.reshape(-1, 2 * FRAMES_PER_STRAND)
    lengths = np.tile(np.maximum((ends - starts)[:, None] - np.arange(FRAMES_PER_STRAND), 0), 2)
    codon_counts = lengths // CODON_BASES
    row, phase = np.divmod(first, CODON_BASES)
    codon = phase * rows + row

    residue_counts = codon_counts
    if bases.translate(None, _CODE_ORDER):
        residue_counts = codon_counts - _occurrences(_DROPPED, residues, codon, codon_counts)
    is_open = (residue_counts > 0) & (_occurrences(_STOP, residues, codon, codon_counts) == 0)
    chunks, frames = np.nonzero(is_open)
    slices = np.minimum(CODON_BASES * residue_counts + SPARE_BASES, lengths)[is_open]
    return OpenFrames(
        counts=is_open.sum(axis=1).astype(np.int8),
        has_codon=np.any(residue_counts > 0, axis=1),
        chunks=chunks.astype(np.int64),
        frames=frames.astype(np.int8),
        nucleotides=Ragged(_joined(strands, first[is_open], slices), _offsets(slices)),
        proteins=Ragged(
            _joined(residues, codon[is_open], codon_counts[is_open]).replace(_DROPPED, b""),
            _offsets(residue_counts[is_open]),
        ),
    )


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


def _occurrences(letter: bytes, text: bytes, starts: Int64Array, lengths: Int64Array) -> Int64Array:
    """Number of times that `letter` occurs in each text[starts:starts + lengths]."""
    before = np.zeros(len(text) + 1, np.int32)
    np.cumsum(np.frombuffer(text, np.uint8) == letter[0], out=before[1:])
    return before[starts + lengths].astype(np.int64) - before[starts]


def _joined(text: bytes, starts: Int64Array, lengths: Int64Array) -> bytes:
    # Slicing bytes is several times faster here than indexing with an array of positions.
    ends = starts + lengths
    return b"".join([text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)])


def _offsets(lengths: Int64Array) -> Int64Array:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])

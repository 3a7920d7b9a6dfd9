"""Finds the open frames of many chunks at once, by the rules of the original tool.

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

from virnucpro_tasks.reads.translation import (
    CODE_ORDER,
    CODON_BASES,
    DROPPED,
    STOP,
    Int64Array,
    Ragged,
    Translation,
    counted_before,
    offsets_of,
)

SPARE_BASES = 1
"""The slice ends one base late: an off-by-one error of the original tool, also in its training data."""


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
    six = Translation.of(bases, starts, ends)
    residue_counts = six.codon_counts
    if bases.translate(None, CODE_ORDER):
        residue_counts = six.codon_counts - _occurrences(DROPPED, six)
    is_open = (residue_counts > 0) & (_occurrences(STOP, six) == 0)
    chunks, frames = np.nonzero(is_open)
    slices = np.minimum(CODON_BASES * residue_counts + SPARE_BASES, six.lengths)[is_open]
    proteins = Ragged.slices(six.residues, six.codon[is_open], six.codon_counts[is_open])
    return OpenFrames(
        counts=is_open.sum(axis=1).astype(np.int8),
        has_codon=np.any(residue_counts > 0, axis=1),
        chunks=chunks.astype(np.int64),
        frames=frames.astype(np.int8),
        nucleotides=Ragged.slices(six.strands, six.first[is_open], slices),
        proteins=Ragged(proteins.content.replace(DROPPED, b""), offsets_of(residue_counts[is_open])),
    )


def _occurrences(letter: bytes, six: Translation) -> Int64Array:
    """Number of times that `letter` occurs among the residues of each frame, (n, 6)."""
    before = counted_before(letter, six.residues)
    return before[six.codon + six.codon_counts].astype(np.int64) - before[six.codon]

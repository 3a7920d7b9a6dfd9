"""Finds the longest stretch without a stop codon in chunks that have no open frame.

It stands for such a chunk where a job asks for coverage by segments; the rules are ours, not the original tool's:

* a segment is a run of codons of one frame without a stop codon, between two of them or an end of the frame;
* it begins and ends with an unambiguous codon. Codons with a letter other than A, C, G, T further inside count no
  residue and are left out of the protein, as in open frames, but their bases stay among the nucleotides;
* of the six frames the segment with the most residues is taken; of equal ones the first in the order F1, F2, F3, R1,
  R2, R3, and in one frame the first in reading direction;
* one with fewer than SHORTEST_SEGMENT_RESIDUES is none;
* its nucleotides are those of its codons in reading direction, and SPARE_BASES more if the chunk has them, as in open
  frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.reads.frames import SPARE_BASES
from virnucpro_tasks.reads.translation import (
    CODON_BASES,
    DROPPED,
    FRAMES,
    STOP,
    Int64Array,
    Ragged,
    Translation,
    counted_before,
    offsets_of,
)

SHORTEST_SEGMENT_RESIDUES = 60
"""Residues; in random sequence with as much of every base a run of codons gets so long in one of 18 cases."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of the m chunks that have one, in the order of the chunks."""

    chunks: Int64Array  # (m,) index of the chunk
    frames: npt.NDArray[np.int8]  # (m,) 0-5 for F1, F2, F3, R1, R2, R3
    nucleotides: Ragged  # m strings
    proteins: Ragged  # m strings


def longest_segments(bases: bytes, starts: Int64Array, ends: Int64Array) -> Segments:
    """The longest segment of each of the chunks bases[starts[i]:ends[i]] that has one.

    `bases` are upper-case letters; chunks may overlap and come in any order. A frame without a stop codon is a segment
    as a whole, so only chunks without an open frame should be given.
    """
    six = Translation.of(bases, starts, ends)
    runs, begins, ends_of_runs = _runs_without_stop(six)
    is_residue = np.frombuffer(six.residues, np.uint8) != DROPPED[0]
    dropped = counted_before(DROPPED, six.residues)
    residue_counts = ends_of_runs - begins - (dropped[ends_of_runs] - dropped[begins])
    chosen = _first_longest(residue_counts, runs // FRAMES)
    chosen = chosen[residue_counts[chosen] >= SHORTEST_SEGMENT_RESIDUES]
    runs, residue_counts = runs[chosen], residue_counts[chosen]

    # From its first to its last unambiguous codon: those before a position are numbered by `before`.
    codons = np.flatnonzero(is_residue)
    before = begins[chosen] - dropped[begins[chosen]]
    begin, end = codons[before], codons[before + residue_counts - 1] + 1
    offset = CODON_BASES * (begin - six.codon.ravel()[runs])
    sizes = np.minimum(CODON_BASES * (end - begin) + SPARE_BASES, six.lengths.ravel()[runs] - offset)
    proteins = Ragged.slices(six.residues, begin, end - begin)
    chunks, frames = np.divmod(runs, FRAMES)
    return Segments(
        chunks=chunks,
        frames=frames.astype(np.int8),
        nucleotides=Ragged.slices(six.strands, six.first.ravel()[runs] + offset, sizes),
        proteins=Ragged(proteins.content.replace(DROPPED, b""), offsets_of(residue_counts)),
    )


def _runs_without_stop(six: Translation) -> tuple[Int64Array, Int64Array, Int64Array]:
    """All runs of codons between stop codons: place of the frame (6 * chunk + frame), begin and end in the residues.

    Runs of a frame are in reading direction and may be empty; each frame has at least one.
    """
    first, counts = six.codon.ravel(), six.codon_counts.ravel()
    stops = np.flatnonzero(np.frombuffer(six.residues, np.uint8) == STOP[0])
    first_stop = np.searchsorted(stops, first)
    stop_counts = np.searchsorted(stops, first + counts) - first_stop
    runs = np.repeat(np.arange(len(first), dtype=np.int64), stop_counts + 1)
    last = np.cumsum(stop_counts + 1) - 1
    inner = np.delete(np.arange(len(runs)), last)
    within = stops[np.repeat(first_stop - (last - stop_counts), stop_counts + 1)[inner] + inner]
    ends = np.empty(len(runs), np.int64)
    ends[last], ends[inner] = first + counts, within
    begins = np.empty(len(runs), np.int64)
    begins[last - stop_counts], begins[inner + 1] = first, within + 1
    return runs, begins, ends


def _first_longest(lengths: Int64Array, groups: Int64Array) -> Int64Array:
    """Place of the first of the greatest `lengths` of each group; equal `groups` are neighbours."""
    if not len(lengths):
        return np.zeros(0, np.int64)
    firsts = np.flatnonzero(np.diff(groups, prepend=-1))
    greatest = np.repeat(np.maximum.reduceat(lengths, firsts), np.diff(np.append(firsts, len(lengths))))
    places = np.flatnonzero(lengths == greatest)
    return places[np.flatnonzero(np.diff(groups[places], prepend=-1))]

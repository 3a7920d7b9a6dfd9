"""The six frames of chunks as positions in both strands, and the helpers that cut them out."""

from __future__ import annotations

import random

import numpy as np
from reads.reference import plain_residues, plain_strands
from reads.test_frames import strings

from virnucpro_tasks.reads.translation import DROPPED, FRAMES_PER_STRAND, Ragged, Translation, counted_before


def test_every_frame_of_every_chunk_is_where_it_is_said_to_be() -> None:
    draw = random.Random(3)
    bases = "".join(draw.choices("ACGTACGTN", k=300))
    bounds = [(0, 300), (17, 101), (40, 42), (299, 300), (5, 5)]
    starts, ends = np.array(bounds, np.int64).T
    six = Translation.of(bases.encode(), starts, ends)
    for chunk, (start, end) in enumerate(bounds):
        for strand, (_, letters) in enumerate(plain_strands(bases[start:end])):
            for frame in range(FRAMES_PER_STRAND):
                place = chunk, FRAMES_PER_STRAND * strand + frame
                first, length = six.first[place], six.lengths[place]
                codon, count = six.codon[place], six.codon_counts[place]
                assert six.strands[first : first + length].decode() == letters[frame:]
                residues = six.residues[codon : codon + count]
                assert count == len(letters[frame:]) // 3
                assert residues.replace(DROPPED, b"").decode() == plain_residues(letters, frame + 1)


def test_slices_and_counts() -> None:
    text = b"ABCABC"
    assert strings(Ragged.slices(text, np.array([4, 0, 2]), np.array([2, 0, 3]))) == ["BC", "", "CAB"]
    assert counted_before(b"A", text).tolist() == [0, 1, 1, 1, 2, 2, 2]

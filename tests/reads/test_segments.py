"""The longest segments against a walk over codons with Biopython, and their stated rules one by one."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reads.reference import Frame, plain_runs, plain_segment
from reads.test_frames import SEQUENCE, strings

from virnucpro_tasks.reads import segments
from virnucpro_tasks.reads.segments import SHORTEST_SEGMENT_RESIDUES, longest_segments
from virnucpro_tasks.reads.tables import FRAME_NAMES

WALL = "TTAATTAATTAA"
"""Stop codons in all six frames."""
OPEN = "CTAGCTAACGCTTAC"
"""LANAY in the first frame, repeated with a stop codon in each of the other five."""


def segments_of(chunks: list[str]) -> list[Frame | None]:
    lengths = np.array([len(chunk) for chunk in chunks], np.int64)
    ends = np.cumsum(lengths)
    found = longest_segments("".join(chunks).encode(), ends - lengths, ends)
    rows: list[Frame | None] = [None] * len(chunks)
    columns = (found.chunks.tolist(), found.frames.tolist(), strings(found.proteins), strings(found.nucleotides))
    for chunk, frame, protein, nucleotides in zip(*columns, strict=True):
        rows[chunk] = (FRAME_NAMES[frame], protein, nucleotides)
    return rows


@pytest.mark.parametrize("least", [1, 2, 5])
@given(chunks=st.lists(SEQUENCE, min_size=1, max_size=12))
def test_equal_to_the_plain_walk(least: int, chunks: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # So that short texts have segments, and hypothesis finds its way to ties and ambiguous codons.
        patch.setattr(segments, "SHORTEST_SEGMENT_RESIDUES", least)
        assert segments_of(chunks) == [plain_segment(chunk, least) for chunk in chunks]


def test_equal_to_the_plain_walk_on_random_chunks() -> None:
    draw = random.Random(21)
    letters = ("ACGT", "ACGTACGTACGTN", "AATTGC", "GCGCAT")
    chunks = ["".join(draw.choices(draw.choice(letters), k=draw.randint(0, 700))) for _ in range(400)]
    found = segments_of(chunks)
    assert found == [plain_segment(chunk, SHORTEST_SEGMENT_RESIDUES) for chunk in chunks]
    assert 50 < sum(row is not None for row in found) < 400


def test_segment_has_at_least_sixty_residues() -> None:
    chunks = [WALL + "GCC" * codons + WALL for codons in range(50, 70)]
    longest = [max(len(protein) for _, protein, _ in plain_runs(chunk)) for chunk in chunks]
    assert {59, 60} < set(longest)
    assert [row is not None for row in segments_of(chunks)] == [residues >= 60 for residues in longest]


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        # The base after its codons is the first one of the stop codon.
        ("TAA" + OPEN * 12 + "TAA" + OPEN, ("F1", "LANAY" * 12, OPEN * 12 + "T")),
        # At the end of the chunk there is no spare base.
        ("TAA" + OPEN * 12, ("F1", "LANAY" * 12, OPEN * 12)),
        # An ambiguous codon inside keeps its bases, those around it do not.
        ("TAANNN" + OPEN * 6 + "NRN" + OPEN * 6 + "NNNTAA", ("F1", "LANAY" * 12, OPEN * 6 + "NRN" + OPEN * 6 + "N")),
        # One residue too few, though the codons are enough.
        ("TAA" + OPEN * 6 + "NRN" + OPEN * 5 + OPEN[:12] + "TAA", None),
    ],
)
def test_bounds_of_a_segment(chunk: str, expected: Frame | None) -> None:
    assert segments_of([chunk]) == [expected]


def test_of_equal_segments_the_first_frame_is_taken_and_there_the_leftmost() -> None:
    one, other = "GCC" * 70, "GGC" * 70
    (found,) = segments_of([WALL + one + WALL + other + WALL])
    assert found is not None
    assert found[0] == "F1"
    assert "A" * 69 in found[1]
    (turned,) = segments_of([WALL + other + WALL + one + WALL])
    assert turned is not None
    assert turned[0] == "F1"
    assert "G" * 69 in turned[1]


def test_chunks_may_overlap_and_there_may_be_none() -> None:
    draw = random.Random(5)
    sequence = "".join(draw.choices("ACGT", k=2_000))
    bounds = [(0, 900), (300, 1_300), (1_100, 2_000), (50, 60)]
    starts, ends = np.array(bounds, np.int64).T
    found = longest_segments(sequence.encode(), starts, ends)
    expected = [plain_segment(sequence[start:end], SHORTEST_SEGMENT_RESIDUES) for start, end in bounds]
    assert found.chunks.tolist() == [place for place, row in enumerate(expected) if row]
    assert strings(found.proteins) == [row[1] for row in expected if row]
    nothing = np.zeros(0, np.int64)
    assert len(longest_segments(b"", nothing, nothing).chunks) == 0

"""Six-frame translation against small cases of the original tool and against Biopython, codon by codon."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reads.reference import Frame, has_codon, plain_frames

from virnucpro_tasks.reads.frames import OpenFrames, open_frames
from virnucpro_tasks.reads.tables import FRAME_NAMES
from virnucpro_tasks.reads.translation import Ragged

# Frames that the table marks as removed for a stop, and those it marks as empty, are the ones left out.
TINY_CASES = {
    "ATG": [("F1", "M", "ATG"), ("R1", "H", "CAT")],
    "ATGA": [("F1", "M", "ATGA"), ("R1", "S", "TCAT"), ("R2", "H", "CAT")],
    "ATGAA": [
        ("F1", "M", "ATGA"),
        ("F3", "E", "GAA"),
        ("R1", "F", "TTCA"),
        ("R2", "S", "TCAT"),
        ("R3", "H", "CAT"),
    ],
    "ATGAAAC": [
        ("F1", "MK", "ATGAAAC"),
        ("F3", "E", "GAAA"),
        ("R1", "VS", "GTTTCAT"),
        ("R2", "FH", "TTTCAT"),
        ("R3", "F", "TTCA"),
    ],
    "ATGNAAC": [("F1", "M", "ATGN"), ("F2", "N", "TGNA"), ("R1", "V", "GTTN"), ("R2", "H", "TTNC")],
    "ATGAAATAG": [
        ("F3", "EI", "GAAATAG"),
        ("R1", "LFH", "CTATTTCAT"),
        ("R2", "YF", "TATTTCA"),
        ("R3", "IS", "ATTTCAT"),
    ],
    "TTATTA": [
        ("F1", "LL", "TTATTA"),
        ("F2", "Y", "TATT"),
        ("F3", "I", "ATTA"),
        ("R2", "N", "AATA"),
        ("R3", "I", "ATAA"),
    ],
    "ACGTACGTA": [
        ("F1", "TYV", "ACGTACGTA"),
        ("F2", "RT", "CGTACGT"),
        ("F3", "VR", "GTACGTA"),
        ("R1", "YVR", "TACGTACGT"),
        ("R2", "TY", "ACGTACG"),
        ("R3", "RT", "CGTACGT"),
    ],
    "RYATGAAA": [
        ("F2", "E", "YATG"),
        ("F3", "MK", "ATGAAA"),
        ("R1", "FH", "TTTCATY"),
        ("R2", "F", "TTCA"),
        ("R3", "S", "TCAT"),
    ],
    "NNNNNN": [],
    "AT": [],
    "": [],
}


def strings(ragged: Ragged) -> list[str]:
    content = ragged.content.decode()
    offsets = ragged.offsets.tolist()
    return [content[start:end] for start, end in itertools.pairwise(offsets)]


def frames_of(chunks: list[str]) -> tuple[OpenFrames, list[list[Frame]]]:
    lengths = np.array([len(chunk) for chunk in chunks], np.int64)
    ends = np.cumsum(lengths)
    found = open_frames("".join(chunks).encode(), ends - lengths, ends)
    rows: list[list[Frame]] = [[] for _ in chunks]
    columns = (found.chunks.tolist(), found.frames.tolist(), strings(found.proteins), strings(found.nucleotides))
    for chunk, frame, protein, nucleotides in zip(*columns, strict=True):
        rows[chunk].append((FRAME_NAMES[frame], protein, nucleotides))
    return found, rows


@pytest.mark.parametrize("chunk", TINY_CASES)
def test_tiny_cases(chunk: str) -> None:
    assert frames_of([chunk])[1] == [TINY_CASES[chunk]]


def test_tiny_cases_do_not_see_each_other() -> None:
    found, rows = frames_of(list(TINY_CASES))
    assert rows == list(TINY_CASES.values())
    assert found.counts.tolist() == [len(frames) for frames in TINY_CASES.values()]


def test_chunk_without_any_codon_is_told_from_one_full_of_stops() -> None:
    found, _ = frames_of(["NNNNNN", "AT", "", "TAATAATTATTATTAATAA"])
    assert found.has_codon.tolist() == [False, False, False, True]
    assert found.counts.tolist()[:3] == [0, 0, 0]


@pytest.mark.parametrize(
    ("length", "sizes"),
    [
        (150, [(50, 150), (49, 148), (49, 148)]),
        (300, [(100, 300), (99, 298), (99, 298)]),
        (500, [(166, 499), (166, 499), (166, 498)]),
    ],
)
def test_sizes_of_clean_frames(length: int, sizes: list[tuple[int, int]]) -> None:
    _, rows = frames_of(["C" * length])
    assert [(len(protein), len(nucleotides)) for _, protein, nucleotides in rows[0]] == sizes * 2


# Codons rich in A and T, and letters that are no base, so that both rules matter.
SEQUENCE = st.one_of(
    st.text("ACGT", max_size=120),
    st.text("ATG", max_size=40),
    st.text("ACGTNRYKMSWBDHV", max_size=60),
    st.text("CCCGN", max_size=60),
)


@given(st.lists(SEQUENCE, min_size=1, max_size=12))
def test_equal_to_the_plain_reading(chunks: list[str]) -> None:
    found, rows = frames_of(chunks)
    assert rows == [plain_frames(chunk) for chunk in chunks]
    assert found.has_codon.tolist() == [has_codon(chunk) for chunk in chunks]


def test_chunks_may_overlap() -> None:
    sequence = "ATGGCCAAATTTCCCGGGATGCATGCA"
    bounds = [(0, 12), (6, 18), (5, 27)]
    starts, ends = np.array(bounds, np.int64).T
    found = open_frames(sequence.encode(), starts, ends)
    expected = [plain_frames(sequence[start:end]) for start, end in bounds]
    assert strings(found.proteins) == [protein for frames in expected for _, protein, _ in frames]
    assert found.counts.tolist() == [len(frames) for frames in expected]

from __future__ import annotations

import numpy as np

from virnucpro_tasks.reads.chunk_frames import NO_OPEN_FRAME, PARTIAL_FRAME, chunk_frames
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.tables import FRAME_NAMES, NO_CODON

OPEN = b"ACG" * 60
STOPPED = b"TAAATAGATAGCTATTTATCTATTTA" * 6
PARTIAL = b"TAA" + b"CTAGCTAACGCTTAC" * 12 + b"TAACTAGCTAACGCTTAC"
"""Sixty residues in F1 between a stop codon and another one, which the other five frames have too."""

CHUNKS = [PARTIAL, OPEN, b"N" * 90, PARTIAL, STOPPED]


def found(coverage: Coverage) -> tuple[list[tuple[int, str, str]], list[tuple[int, str]]]:
    lengths = np.array([len(chunk) for chunk in CHUNKS], np.int64)
    ends = np.cumsum(lengths)
    frames = chunk_frames(b"".join(CHUNKS), ends - lengths, ends, coverage=coverage)
    chunks = zip(frames.counts.tolist(), frames.statuses.to_pylist(), frames.reasons.to_pylist(), strict=True)
    assert len(frames.nucleotides) == len(frames.proteins) == len(frames.chunks)
    names = [FRAME_NAMES[frame] for frame in frames.frames.tolist()]
    return list(chunks), list(zip(frames.chunks.tolist(), names, strict=True))


def test_open_frames_alone() -> None:
    chunks, frames = found(Coverage.FRAMES)
    closed = (0, "no_open_frame", NO_OPEN_FRAME)
    assert chunks[0] == chunks[3] == chunks[4] == closed
    assert chunks[1][1:] == ("scored", "")
    assert chunks[2] == (0, "no_open_frame", NO_CODON)
    assert {chunk for chunk, _ in frames} == {1}
    assert len(frames) == chunks[1][0]


def test_segments_stand_in_line_with_the_open_frames() -> None:
    without, frames_alone = found(Coverage.FRAMES)
    chunks, frames = found(Coverage.SEGMENTS)
    partial = (1, "partial_frame", PARTIAL_FRAME)
    assert chunks == [partial, without[1], without[2], partial, without[4]]
    assert frames == [(0, "F1"), *frames_alone, (3, "F1")]

"""Chooses the frames that stand for chunks: the open ones, or for a chunk without any its longest segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.frames import open_frames
from virnucpro_tasks.reads.segments import longest_segments
from virnucpro_tasks.reads.tables import NO_CODON, Status
from virnucpro_tasks.reads.translation import Int64Array, Ragged

NO_OPEN_FRAME = "no frame without a stop codon"
PARTIAL_FRAME = "no frame without a stop codon: its longest segment is scored"


_OPEN, _CLOSED, _WITHOUT_CODON, _PARTIAL = range(4)
_STATUSES = (Status.SCORED, Status.NO_OPEN_FRAME, Status.NO_OPEN_FRAME, Status.PARTIAL_FRAME)
_REASONS = ("", NO_OPEN_FRAME, NO_CODON, PARTIAL_FRAME)


@dataclass(frozen=True, slots=True)
class ChunkFrames:
    """The m frames, or segments of frames, that stand for n chunks, ordered by chunk and then by frame.

    `counts` (n,) int8 are those of each chunk, `statuses` and `reasons` (n,) strings their outcomes. `chunks` (m,)
    int64 is the index of the chunk, `frames` (m,) int8 the place in FRAME_NAMES; `nucleotides` and `proteins` are m
    strings.
    """

    counts: npt.NDArray[np.int8]
    statuses: pa.Array
    reasons: pa.Array
    chunks: Int64Array
    frames: npt.NDArray[np.int8]
    nucleotides: pa.Array
    proteins: pa.Array


def chunk_frames(bases: bytes, starts: Int64Array, ends: Int64Array, *, coverage: Coverage) -> ChunkFrames:
    """Find what stands for each of the chunks bases[starts[i]:ends[i]].

    `bases` are upper-case letters; chunks may overlap and come in any order.
    """
    found = open_frames(bases, starts, ends)
    kinds = np.where(found.counts > 0, _OPEN, np.where(found.has_codon, _CLOSED, _WITHOUT_CODON))
    counts, chunks, frames = found.counts, found.chunks, found.frames
    nucleotides, proteins = _strings(found.nucleotides), _strings(found.proteins)
    closed = np.flatnonzero(kinds == _CLOSED)
    if coverage is Coverage.SEGMENTS and len(closed):
        segments = longest_segments(bases, starts[closed], ends[closed])
        partial = closed[segments.chunks]
        kinds[partial], counts[partial] = _PARTIAL, 1
        chunks = np.concatenate([chunks, partial])
        order = np.argsort(chunks, kind="stable")
        chunks, frames = chunks[order], np.concatenate([frames, segments.frames])[order]
        nucleotides, proteins = (
            pa.concat_arrays([strings, _strings(more)]).take(pa.array(order))
            for strings, more in ((nucleotides, segments.nucleotides), (proteins, segments.proteins))
        )
    outcomes = pa.array(kinds)
    # Arrays of Arrow are made in calls alone: the first one of a process imports pandas, unless that is settled before.
    statuses, reasons = (pa.array(map(str, texts)).take(outcomes) for texts in (_STATUSES, _REASONS))
    return ChunkFrames(counts, statuses, reasons, chunks, frames, nucleotides, proteins)


def _strings(ragged: Ragged) -> pa.Array:
    """An Arrow string array that shares the bytes of `ragged`; no Python strings are made."""
    offsets = ragged.offsets.astype(np.int32)
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(ragged.content))

"""Schemas of the two tables made of the input: one row per chunk with its status, one row per frame."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class Status(StrEnum):
    """Outcome of a record or chunk; the values are those of the result tables."""

    SCORED = "scored"
    NO_OPEN_FRAME = "no_open_frame"
    TOO_SHORT = "too_short"
    INVALID = "invalid"
    QUARANTINED = "quarantined"
    PARTIAL_FRAME = "partial_frame"


NO_CODON = "no unambiguous codon"
"""The reason of a chunk that tells nothing, not even that stop codons close it."""


#: One row per chunk, in input order. A record without chunks (too_short, invalid) has one row with chunk 0, start 0
#: and end 0. `status` is SCORED if it has open frames, even before they are embedded and scored. A chunk for which a
#: segment of a frame stands is PARTIAL_FRAME: it has one row in the frame table, with the segment and its frame.
#: Ids are the bytes of the header up to the first white space, unchanged.
CHUNK_SCHEMA = pa.schema(
    [
        ("input_ordinal", pa.int32()),  # 0-based index of the input file in the job
        ("record_ordinal", pa.int64()),  # 0-based, over all inputs of the job
        ("record_id", pa.binary()),
        ("record_length", pa.int64()),  # bases
        ("chunk", pa.int32()),  # 1-based
        ("start", pa.int64()),  # 0-based, on the record's forward strand
        ("end", pa.int64()),  # exclusive
        ("frames", pa.int8()),  # open frames, 0-6, or 1 for a segment; they are consecutive rows of the frame table
        ("status", pa.string()),
        ("reason", pa.string()),  # why it has no score; empty if SCORED
        ("mate", pa.int8()),  # 1 or 2 for a read of a pair, else 0
        ("description", pa.binary()),  # the rest of the header, in the first row of the record; else empty
    ]
)


class ReverseChunk(StrEnum):
    """The frames or segment of a chunk of a record's reverse complement, in a job that scores both strands."""

    SAME = "same"  # what stands for the chunk of the record itself: both have equal bases, and equal frames
    FRAMES = "frames"
    SEGMENT = "segment"
    CLOSED = "closed"  # by stop codons: nothing
    NO_CODON = "no_codon"
    NOT_CUT = ""  # the row is one of a record without chunks


#: The chunk table of a job that scores both strands. In the row of a chunk also stands the chunk of the reverse
#: complement at the same place, whose bounds are those of `reverse_chunk_bounds`.
BOTH_STRANDS_SCHEMA = pa.schema(
    [
        *CHUNK_SCHEMA,
        ("reverse_frames", pa.int8()),  # its rows in the frame table, right behind those of the chunk; none if SAME
        ("reverse", pa.string()),  # a ReverseChunk
    ]
)
REVERSE_COLUMNS = ("reverse_frames", "reverse")

#: One row per open frame or segment, in the order of the chunk table and by frame name within a chunk. A frame of the
#: reverse complement has the name that it has there.
FRAME_SCHEMA = pa.schema(
    [
        ("record_ordinal", pa.int64()),
        ("chunk", pa.int32()),
        ("frame", pa.int8()),  # index into FRAME_NAMES
        ("nucleotides", pa.string()),
        ("protein", pa.string()),
    ]
)

FRAME_NAMES = ("F1", "F2", "F3", "R1", "R2", "R3")


@dataclass(frozen=True, slots=True)
class FrameOwners:
    """To which chunk each of f rows of a frame table belongs.

    `rows` (f,) int64 is the row of the chunk table, `is_reverse` (f,) bool whether it is a frame of the chunk of the
    reverse complement there.
    """

    rows: npt.NDArray[np.int64]
    is_reverse: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, chunks: pa.Table) -> Self:
        """Those of the frame table that goes with a chunk table."""
        counts = frame_counts(chunks)
        rows = np.repeat(np.arange(len(counts)), counts)
        places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        return cls(rows, places >= chunks["frames"].to_numpy()[rows])


def frame_counts(chunks: pa.Table) -> npt.NDArray[np.int64]:
    """How many rows of the frame table belong to each row of a chunk table, int64 (chunk rows,)."""
    counts = chunks["frames"].to_numpy().astype(np.int64)
    return counts + chunks["reverse_frames"].to_numpy() if has_both_strands(chunks) else counts


def has_both_strands(chunks: pa.Table) -> bool:
    """Whether a chunk table tells of the chunks of the reverse complements too."""
    return "reverse_frames" in chunks.schema.names


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Consecutive chunks of a job: their chunk rows and their frame rows."""

    chunks: pa.Table
    frames: pa.Table

"""Schemas of the two tables made of the input: one row per chunk with its status, one row per frame."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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

#: One row per open frame or segment, in the order of the chunk table and by frame name within a chunk.
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
class FrameBatch:
    """Consecutive chunks of a job: their chunk rows and their frame rows."""

    chunks: pa.Table
    frames: pa.Table

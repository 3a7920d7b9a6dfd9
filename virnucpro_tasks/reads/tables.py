"""The two tables that reading produces: one row for every chunk with its status, one row for every open frame."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa


class Status(StrEnum):
    """What became of a record or chunk. Written to the result tables as is."""

    SCORED = "scored"
    NO_OPEN_FRAME = "no_open_frame"
    TOO_SHORT = "too_short"
    INVALID = "invalid"
    QUARANTINED = "quarantined"


#: One row a chunk, in input order. A record without chunks (too_short, invalid) has one row with chunk 0, start 0 and
#: end 0. `status` is SCORED where `frames` > 0: it becomes true once the frames are embedded.
#: Ids are bytes exactly as in the input: the header up to the first white space.
CHUNK_SCHEMA = pa.schema(
    [
        ("input_ordinal", pa.int32()),  # 0-based index of the input file in the job
        ("record_ordinal", pa.int64()),  # 0-based, over all inputs of the job
        ("record_id", pa.binary()),
        ("record_length", pa.int64()),  # bases
        ("chunk", pa.int32()),  # 1-based
        ("start", pa.int64()),  # 0-based, on the record's forward strand
        ("end", pa.int64()),  # exclusive
        ("frames", pa.int8()),  # open frames of this chunk, 0-6: so many consecutive rows of the frame table
        ("status", pa.string()),
        ("reason", pa.string()),  # empty unless the status needs one
    ]
)

#: One row an open frame, ordered like the chunk table and by frame name within a chunk.
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
    """Some consecutive chunks of a job: their chunk rows and the frame rows that belong to them."""

    chunks: pa.Table
    frames: pa.Table

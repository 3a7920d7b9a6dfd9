"""Helpers for tests of whole inputs: reads files to two plain lists, and checks what must hold for every reading."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from virnucpro_tasks.reads.batches import ReadInput, frame_batches
from virnucpro_tasks.reads.tables import CHUNK_SCHEMA, FRAME_NAMES, FRAME_SCHEMA

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """All chunk rows and all frame rows of some inputs."""

    chunks: list[Row]
    frames: list[Row]

    @property
    def statuses(self) -> dict[str, int]:
        """Number of records by status; a record is scored if any of its chunks is."""
        return dict(Counter(str(row["status"]) for row in self.records))

    @property
    def records(self) -> list[Row]:
        """One chunk row per record: the first scored one, or else the first."""
        best: dict[int, Row] = {}
        for row in self.chunks:
            known = best.setdefault(row["record_ordinal"], row)
            if known["status"] != "scored" and row["status"] == "scored":
                best[row["record_ordinal"]] = row
        return list(best.values())

    def frames_of(self, record: int) -> list[tuple[str, str, str]]:
        """Chunk and frame, nucleotides and protein of each frame of a record."""
        return [
            (f"{row['chunk']}{FRAME_NAMES[row['frame']]}", row["nucleotides"], row["protein"])
            for row in self.frames
            if row["record_ordinal"] == record
        ]


def read_files(*paths: Path, chunk_length: int = 500, **options: Any) -> Reading:
    """Read `paths` with `frame_batches` and check the accounting."""
    inputs = [ReadInput(path, path.name) for path in paths]
    batches = list(frame_batches(inputs, chunk_length=chunk_length, **options))
    reading = Reading(
        pa.concat_tables([batch.chunks for batch in batches]).to_pylist() if batches else [],
        pa.concat_tables([batch.frames for batch in batches]).to_pylist() if batches else [],
    )
    for batch in batches:
        assert batch.chunks.schema == CHUNK_SCHEMA
        assert batch.frames.schema == FRAME_SCHEMA
    check_accounting(reading)
    return reading


def check_accounting(reading: Reading) -> None:
    """Check the order of records, the numbers and bounds of their chunks, and the counts of frames."""
    ordinals = list(dict.fromkeys(row["record_ordinal"] for row in reading.chunks))
    assert ordinals == list(range(len(ordinals)))
    counted = [(row["record_ordinal"], row["chunk"]) for row in reading.chunks for _ in range(row["frames"])]
    assert [(row["record_ordinal"], row["chunk"]) for row in reading.frames] == counted
    last: Row = {"record_ordinal": -1, "chunk": 0, "end": 0}
    for row in reading.chunks:
        assert row["status"] in {"scored", "no_open_frame", "too_short", "invalid", "partial_frame"}
        assert (row["status"] in {"scored", "partial_frame"}) == (row["frames"] > 0)
        assert row["status"] != "partial_frame" or row["frames"] == 1
        assert (row["status"] == "scored") == (row["reason"] == "")
        new = row["record_ordinal"] != last["record_ordinal"]
        if row["status"] in ("too_short", "invalid"):
            assert new
            assert (row["chunk"], row["start"], row["end"]) == (0, 0, 0)
        else:
            assert row["chunk"] == (1 if new else last["chunk"] + 1)
            assert row["start"] == 0 if new else row["start"] <= last["end"]
            assert row["end"] <= row["record_length"]
        last = row
    for row, following in zip(reading.chunks, [*reading.chunks[1:], None], strict=True):
        is_last = following is None or following["record_ordinal"] != row["record_ordinal"]
        if is_last and row["chunk"]:
            assert row["end"] == row["record_length"]

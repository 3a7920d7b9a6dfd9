from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.reads.tables import CHUNK_SCHEMA, FRAME_SCHEMA, FrameBatch
from virnucpro_tasks.shards.tables import OPTIONAL, frames_digest, read_frame_places, read_table, write_shard


def frames_of(*pairs: tuple[str, str]) -> pa.Table:
    rows = [
        {"record_ordinal": 0, "chunk": 1, "frame": 0, "nucleotides": nucleotides, "protein": protein}
        for nucleotides, protein in pairs
    ]
    return pa.Table.from_pylist(rows, FRAME_SCHEMA)


def test_segments_and_their_tokens_are_in_the_plan(tmp_path: Path) -> None:
    empty = {name: 0 for name in CHUNK_SCHEMA.names} | {"record_id": b"r", "reason": "", "description": b""}
    rows = [empty | {"frames": 2, "status": "scored"}, empty | {"frames": 1, "status": "partial_frame"}]
    batch = FrameBatch(pa.Table.from_pylist(rows, CHUNK_SCHEMA), frames_of(("AT", "M"), ("GG", "GA"), ("GG", "MKV")))
    entry = write_shard(batch, frames=tmp_path / "f.parquet", chunks=tmp_path / "l.parquet")
    assert (entry.frames, entry.tokens) == (3, 3 + 4 + 5)
    assert (entry.segments, entry.segment_tokens) == (1, 5)


def test_shard_tables_read_back(tmp_path: Path) -> None:
    frames = frames_of(("ATGA", "M"), ("GGGC", "G"))
    batch = FrameBatch(CHUNK_SCHEMA.empty_table(), frames)
    # A chunk row for the two frames, so that the counts agree.
    row = dict.fromkeys(CHUNK_SCHEMA.names, 0) | {
        "record_id": b"r",
        "frames": 2,
        "status": "scored",
        "reason": "",
        "description": b"",
    }
    batch = replace(batch, chunks=pa.Table.from_pylist([row], CHUNK_SCHEMA))
    entry = write_shard(batch, frames=tmp_path / "f.parquet", chunks=tmp_path / "l.parquet")
    assert (entry.chunk_rows, entry.frames, entry.tokens) == (1, 2, 6)
    assert read_table(tmp_path / "f.parquet").equals(frames)
    assert entry.digest == frames_digest(read_table(tmp_path / "f.parquet"))


def test_frames_are_read_without_their_sequences_from_the_right_file_alone(tmp_path: Path) -> None:
    frames, chunks = frames_of(("ATGA", "M"), ("GGGC", "G")), CHUNK_SCHEMA.empty_table()
    entry = write_shard(FrameBatch(chunks, frames), frames=tmp_path / "f.parquet", chunks=tmp_path / "l.parquet")
    places = read_frame_places(tmp_path / "f.parquet", sha256=entry.frames_sha256)
    assert places.equals(frames.select(["record_ordinal", "chunk", "frame"]))
    for file, sha256 in (("f.parquet", entry.chunks_sha256), ("l.parquet", entry.chunks_sha256), ("none", "")):
        with pytest.raises(DamagedError):
            read_frame_places(tmp_path / file, sha256=sha256)


def test_shard_tables_may_be_in_a_folder_whose_name_is_no_utf8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    batch = FrameBatch(CHUNK_SCHEMA.empty_table(), frames_of(("ATGA", "M")))
    write_shard(batch, frames=folder / "f.parquet", chunks=folder / "l.parquet")
    assert read_table(folder / "f.parquet").equals(batch.frames)


def test_the_digest_sees_every_boundary_and_no_layout() -> None:
    whole = frames_of(("ATG", "MK"), ("A", "L"))
    pieces = pa.concat_tables([frames_of(("ATG", "MK")), frames_of(("A", "L"))])
    assert frames_digest(whole) == frames_digest(pieces) == frames_digest(pa.concat_tables([whole, whole]).slice(2))
    assert frames_digest(whole) != frames_digest(frames_of(("ATG", "M"), ("A", "KL")))
    assert frames_digest(whole) != frames_digest(frames_of(("AT", "MK"), ("GA", "L")))
    assert len(frames_digest(frames_of())) == 64


@pytest.mark.parametrize("values", [{}, {"mate": 2}, {"description": b"d"}, {"mate": 1, "description": b"d"}])
def test_mates_and_descriptions_are_stored_only_where_there_are_any(tmp_path: Path, values: dict[str, Any]) -> None:
    texts = {"record_id": b"r", "status": "scored", "reason": "", "description": b""}
    row = dict.fromkeys(CHUNK_SCHEMA.names, 0) | texts
    for rows in ([row, row | values], [row | values, row]):
        chunks = pa.Table.from_pylist(rows, CHUNK_SCHEMA)
        write_shard(
            FrameBatch(chunks, FRAME_SCHEMA.empty_table()),
            frames=tmp_path / "f.parquet",
            chunks=tmp_path / "c.parquet",
        )
        assert OPTIONAL.keys() & pq.read_schema(tmp_path / "c.parquet").names == values.keys()
        assert read_table(tmp_path / "c.parquet").equals(chunks)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from virnucpro_tasks.reads.tables import CHUNK_SCHEMA, FRAME_SCHEMA, FrameBatch
from virnucpro_tasks.shards.arrays import EmbeddingKey, arrays_digest
from virnucpro_tasks.shards.files import (
    ShardVectors,
    asdict_arrays,
    frames_digest,
    read_table,
    read_valid_vectors,
    vectors_are_valid,
    write_shard,
    write_vectors,
)

KEY = EmbeddingKey("shard", "bundle", "fp32")


def frames_of(*pairs: tuple[str, str]) -> pa.Table:
    rows = [
        {"record_ordinal": 0, "chunk": 1, "frame": 0, "nucleotides": nucleotides, "protein": protein}
        for nucleotides, protein in pairs
    ]
    return pa.Table.from_pylist(rows, FRAME_SCHEMA)


def test_shard_tables_read_back(tmp_path: Path) -> None:
    frames = frames_of(("ATGA", "M"), ("GGGC", "G"))
    batch = FrameBatch(CHUNK_SCHEMA.empty_table(), frames)
    # A chunk row for the two frames, so that the counts agree.
    row = dict.fromkeys(CHUNK_SCHEMA.names, 0) | {"record_id": b"r", "frames": 2, "status": "scored", "reason": ""}
    batch = replace(batch, chunks=pa.Table.from_pylist([row], CHUNK_SCHEMA))
    entry = write_shard(batch, frames=tmp_path / "f.parquet", chunks=tmp_path / "l.parquet")
    assert (entry.chunk_rows, entry.frames, entry.tokens) == (1, 2, 6)
    assert read_table(tmp_path / "f.parquet").equals(frames)
    assert entry.digest == frames_digest(read_table(tmp_path / "f.parquet"))


def test_the_digest_sees_every_boundary_and_no_layout() -> None:
    whole = frames_of(("ATG", "MK"), ("A", "L"))
    pieces = pa.concat_tables([frames_of(("ATG", "MK")), frames_of(("A", "L"))])
    assert frames_digest(whole) == frames_digest(pieces) == frames_digest(pa.concat_tables([whole, whole]).slice(2))
    assert frames_digest(whole) != frames_digest(frames_of(("ATG", "M"), ("A", "KL")))
    assert frames_digest(whole) != frames_digest(frames_of(("AT", "MK"), ("GA", "L")))
    assert len(frames_digest(frames_of())) == 64


def test_vectors_read_back_and_are_valid_for_their_key_only(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    vectors = ShardVectors(
        generator.normal(size=(3, 4)).astype(np.float32),
        generator.normal(size=(2, 5)).astype(np.float32),
        np.array([0, 1, 2, 0], np.int32),
        np.array([0, 1, 1, 0], np.int32),
    )
    path = tmp_path / "v.safetensors"
    assert not vectors_are_valid(path, KEY)
    write_vectors(path, vectors, KEY)
    assert vectors_are_valid(path, KEY)
    assert not vectors_are_valid(path, replace(KEY, precision="fp16"))
    read = read_valid_vectors(path, KEY)
    assert read is not None
    for name, array in asdict_arrays(read).items():
        np.testing.assert_array_equal(array, getattr(vectors, name))


def test_a_cut_file_is_not_valid(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    zeros = np.zeros((1, 4), np.float32)
    write_vectors(path, ShardVectors(zeros, zeros, np.zeros(1, np.int32), np.zeros(1, np.int32)), KEY)
    path.write_bytes(path.read_bytes()[:-3])
    assert not vectors_are_valid(path, KEY)


@pytest.mark.parametrize("place", range(0, 100, 3))
def test_a_flipped_bit_and_a_cut_end_anywhere_are_noticed(tmp_path: Path, place: int) -> None:
    path, key = tmp_path / "v.safetensors", EmbeddingKey("s", "b", "fp32")
    vectors = ShardVectors(
        np.ones((3, 4), np.float32), np.ones((2, 5), np.float32), np.arange(3, dtype=np.int32), np.zeros(3, np.int32)
    )
    write_vectors(path, vectors, key)
    whole = path.read_bytes()
    assert vectors_are_valid(path, key)
    offset = len(whole) * place // 100
    damaged = bytearray(whole)
    damaged[offset] ^= 4
    path.write_bytes(damaged)
    read = read_valid_vectors(path, key)
    # What is padding may change; what is read may not.
    assert read is None or all(
        (array == asdict_arrays(vectors)[name]).all() for name, array in asdict_arrays(read).items()
    )
    assert read is None or damaged[offset] ^ 4 == ord(" ")
    path.write_bytes(whole[:offset])
    assert not vectors_are_valid(path, key)


def test_every_block_of_an_array_counts_and_so_does_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virnucpro_tasks.shards.arrays.DIGEST_BLOCK_BYTES", 64)
    array = np.arange(5 * 16 + 3, dtype=np.float32)
    swapped = np.concatenate([array[16:32], array[:16], array[32:]])
    changed = [array + (np.arange(array.size) == place) for place in (0, 15, 16, 79, 82)]
    versions = [array, swapped, array[:-1], array.astype(np.float64), *changed]
    assert len({arrays_digest({"protein": version}, {}) for version in versions}) == len(versions)
    assert arrays_digest({"protein": array}, {}) == arrays_digest({"protein": array.copy()}, {})

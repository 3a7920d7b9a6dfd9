from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.vectors import (
    ShardVectors,
    asdict_arrays,
    read_valid_vectors,
    vectors_are_valid,
    write_vectors,
)

KEY = EmbeddingKey("shard", "bundle", "fp32")


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

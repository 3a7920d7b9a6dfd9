from __future__ import annotations

from pathlib import Path

import numpy as np

from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.computed import Computed, summed
from virnucpro_tasks.shards.files import ShardVectors, read_valid_vectors, write_vectors

ONE = Computed(packs=3, recomputed_packs=1, out_of_memory=2, tokens=700, capacity=800, attention={"esm2": "triton"})


def test_it_is_kept_in_the_file_of_the_vectors(tmp_path: Path) -> None:
    zeros, rows, key = np.zeros((1, 4), np.float32), np.zeros(1, np.int32), EmbeddingKey("a", "b", "fp16")
    write_vectors(tmp_path / "v.safetensors", ShardVectors(zeros, zeros, rows, rows, ONE), key)
    read = read_valid_vectors(tmp_path / "v.safetensors", key)
    assert read is not None and read.computed == ONE


def test_totals_over_shards() -> None:
    other = Computed(packs=1, tokens=50, capacity=150, attention={"esm2": "sdpa", "dnabert-s": "sdpa"})
    assert summed([ONE, other, ONE]) == {
        "packs": 7,
        "recomputed_packs": 2,
        "out_of_memory": 4,
        "tokens": 1450,
        "capacity": 1750,
        "token_fill": 0.8286,
        "shards_by_attention": {"dnabert-s": {"sdpa": 1}, "esm2": {"sdpa": 1, "triton": 2}},
    }
    assert summed([]) == summed([Computed()])

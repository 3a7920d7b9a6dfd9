from __future__ import annotations

from pathlib import Path

import numpy as np

from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.engine_stats import EngineStats, engine_report
from virnucpro_tasks.shards.vectors import ShardVectors, read_valid_vectors, write_vectors

ONE = EngineStats(packs=3, recomputed_packs=1, out_of_memory=2, tokens=700, capacity=800, attention={"esm2": "triton"})


def test_it_is_kept_in_the_file_of_the_vectors(tmp_path: Path) -> None:
    zeros, rows, key = np.zeros((1, 4), np.float32), np.zeros(1, np.int32), EmbeddingKey("a", "b", "fp16")
    write_vectors(tmp_path / "v.safetensors", ShardVectors(zeros, zeros, rows, rows, ONE), key)
    read = read_valid_vectors(tmp_path / "v.safetensors", key)
    assert read is not None and read.stats == ONE


def test_totals_over_shards() -> None:
    other = EngineStats(packs=1, tokens=50, capacity=150, attention={"esm2": "sdpa", "dnabert-s": "sdpa"})
    assert engine_report([ONE, other, ONE]) == {
        "packs": 7,
        "recomputed_packs": 2,
        "out_of_memory": 4,
        "tokens": 1450,
        "capacity": 1750,
        "token_fill": 0.8286,
        "shards_by_attention": {"dnabert-s": {"sdpa": 1}, "esm2": {"sdpa": 1, "triton": 2}},
    }
    assert engine_report([]) == engine_report([EngineStats()])


def test_the_counters_of_two_models_add_up() -> None:
    other = EngineStats(packs=1, tokens=100, capacity=200, attention={"dnabert-s": "sdpa"})
    assert ONE + other == EngineStats(4, 1, 2, 800, 1000, attention={"esm2": "triton", "dnabert-s": "sdpa"})
    assert (ONE + other).token_fill == 0.8 and EngineStats().token_fill is None

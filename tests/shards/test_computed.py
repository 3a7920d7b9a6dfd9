from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from virnucpro_tasks.shards.computed import ENTRY, Computed, summed
from virnucpro_tasks.shards.files import EmbeddingKey, ShardVectors, read_vectors, write_vectors

ONE = Computed(packs=3, recomputed_packs=1, out_of_memory=2, tokens=700, capacity=800, attention={"esm2": "triton"})


def write(path: Path, computed: Computed) -> None:
    zeros = np.zeros((1, 4), np.float32)
    rows = np.zeros(1, np.int32)
    write_vectors(path, ShardVectors(zeros, zeros, rows, rows, computed), EmbeddingKey("a", "b", "fp16"))


def test_it_is_kept_in_the_file_of_the_vectors(tmp_path: Path) -> None:
    write(tmp_path / "v.safetensors", ONE)
    assert Computed.read(tmp_path / "v.safetensors") == ONE == read_vectors(tmp_path / "v.safetensors").computed


@pytest.mark.parametrize("text", [None, "no JSON", "[]", "{}", '{"computed": {"bytes": 3}}'])
def test_a_file_that_does_not_say_counts_nothing(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "v.safetensors"
    save_file({"x": np.zeros(1)}, path, metadata=None if text is None else {ENTRY: text})
    assert Computed.read(path) == Computed()
    assert Computed.read(tmp_path / "missing") == Computed()


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

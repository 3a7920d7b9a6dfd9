from __future__ import annotations

from pathlib import Path

import numpy as np

from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.engine_stats import EngineStats
from virnucpro_tasks.shards.scores import ShardScores, read_valid_scores, write_scores
from virnucpro_tasks.shards.vectors import ShardVectors, write_vectors

KEY = EmbeddingKey("shard", "bundle", "fp16")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    scores = ShardScores(np.full((3, 2), 0.5, np.float32), np.array([True, False, False]), EngineStats(packs=2))
    write_scores(tmp_path / "s", scores, KEY)
    read = read_valid_scores(tmp_path / "s", KEY)
    assert read is not None and read.stats == scores.stats
    np.testing.assert_array_equal(read.scores, scores.scores)
    np.testing.assert_array_equal(read.quarantined, scores.quarantined)


def test_vectors_are_no_scores(tmp_path: Path) -> None:
    zeros, rows = np.zeros((1, 4), np.float32), np.zeros(1, np.int32)
    write_vectors(tmp_path / "v", ShardVectors(zeros, zeros, rows, rows), KEY)
    assert read_valid_scores(tmp_path / "v", KEY) is None

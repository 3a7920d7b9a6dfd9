"""Scores of one shard's frames, kept beside its vectors, so that finishing reads 9 bytes a frame instead of 13,000."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.shards.arrays import EmbeddingKey, read_valid_arrays, write_arrays
from virnucpro_tasks.shards.engine_stats import EngineStats

SCORE_ARRAYS = ("scores", "quarantined")


@dataclass(frozen=True, slots=True)
class ShardScores:
    """`scores` (frames, 2) float32 holds P(others) and P(virus) of each frame of a shard, 0 for one without a vector;
    `quarantined` (frames,) bool tells which those are, `stats` are of the engine that computed them.
    """

    scores: npt.NDArray[np.float32]
    quarantined: npt.NDArray[np.bool_]
    stats: EngineStats = field(default_factory=EngineStats)


def write_scores(path: Path, scores: ShardScores, key: EmbeddingKey) -> None:
    """Write scores and the key of their vectors atomically; not durable."""
    write_arrays(path, {name: getattr(scores, name) for name in SCORE_ARRAYS}, scores.stats, key)


def read_valid_scores(path: Path, key: EmbeddingKey) -> ShardScores | None:
    """The scores for `key` in `path`; None if it is missing, of other work, cut off or changed since then."""
    found = read_valid_arrays(path, key, names=SCORE_ARRAYS)
    return found and ShardScores(**found[0], stats=found[1])

"""The pooled vectors of a shard, as a safetensors file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from virnucpro_tasks.shards.arrays import EmbeddingKey, read_valid_arrays, write_arrays
from virnucpro_tasks.shards.engine_stats import EngineStats

VECTOR_ARRAYS = ("nucleotide", "protein", "nucleotide_row", "protein_row")

NO_VECTOR = -1
"""The row of a frame of a quarantined record."""


@dataclass(frozen=True, slots=True)
class ShardVectors:
    """Pooled vectors of one shard, one row for each distinct sequence, and which row each frame has.

    `nucleotide` (distinct slices, width) and `protein` (distinct proteins, width) are float32;
    `nucleotide_row` and `protein_row` are int32 of shape (frames,), NO_VECTOR for frames of quarantined records.
    """

    nucleotide: np.ndarray
    protein: np.ndarray
    nucleotide_row: np.ndarray
    protein_row: np.ndarray
    stats: EngineStats = field(default_factory=EngineStats)


def write_vectors(path: Path, vectors: ShardVectors, key: EmbeddingKey) -> None:
    """Write pooled vectors and their key atomically; not durable before they are synced."""
    write_arrays(path, asdict_arrays(vectors), vectors.stats, key)


def vectors_are_valid(path: Path, key: EmbeddingKey) -> bool:
    """Whether `path` is a complete and unchanged file of the vectors for `key`; reads all of it."""
    return read_valid_vectors(path, key) is not None


def read_valid_vectors(path: Path, key: EmbeddingKey) -> ShardVectors | None:
    """The vectors for `key` in `path`; None if it is missing, of other work, cut off or changed since then."""
    found = read_valid_arrays(path, key, names=VECTOR_ARRAYS)
    return found and ShardVectors(**found[0], stats=found[1])


def joined_vectors(parts: Sequence[ShardVectors]) -> ShardVectors:
    """The vectors of frames that follow each other, at least one part; their counters are added up."""
    # Those of quarantined records alone have no width.
    wide = [part for part in parts if len(part.nucleotide)] or list(parts[:1])
    rows: dict[str, list[np.ndarray]] = {"nucleotide": [], "protein": []}
    for kind, of_kind in rows.items():
        before = 0
        for part in parts:
            row = getattr(part, f"{kind}_row")
            of_kind.append(np.where(row == NO_VECTOR, row, row + before).astype(np.int32))
            before += len(getattr(part, kind))
    return ShardVectors(
        nucleotide=np.concatenate([part.nucleotide for part in wide]),
        protein=np.concatenate([part.protein for part in wide]),
        nucleotide_row=np.concatenate(rows["nucleotide"]),
        protein_row=np.concatenate(rows["protein"]),
        stats=sum((part.stats for part in parts), EngineStats()),
    )


def asdict_arrays(vectors: ShardVectors) -> dict[str, np.ndarray]:
    """The arrays of `vectors` by name, not copied."""
    return {name: getattr(vectors, name) for name in VECTOR_ARRAYS}

"""Writes the vectors that are taken over, one kind to a file, the first of each sequence."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.shards.imported import Index, Vectors, vectors_file, write_index

SAME_VECTOR = 0.02
"""Two vectors of one sequence differ by less than this share of their length, also if one is of half precision."""


@dataclass(slots=True)
class VectorStore:
    """The vectors of `kind` so far. Sequences are known by their place among those of the input, 0 to `frames`."""

    file: BinaryIO
    kind: str
    width: int
    rows: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int32]
    checksums: npt.NDArray[np.uint32]
    contradicted: npt.NDArray[np.bool_]
    count: int = 0
    lost: dict[int, int] = field(default_factory=dict)
    """By source, vectors that were taken over from it and contradicted later."""

    def add(
        self, sequences: npt.NDArray[np.int64], vectors: Vectors, source: int
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Add the `vectors` (k, width) of `sequences` (k,); returns masks (k,): those that repeat a vector of their
        sequence, and those that contradict it. A sequence that was contradicted has no vector any more.
        """
        repeated, contradicts = np.zeros(len(sequences), bool), np.zeros(len(sequences), bool)
        for place, sequence in enumerate(sequences.tolist()):
            vector = np.ascontiguousarray(vectors[place], "<f4")
            if self.contradicted[sequence]:
                contradicts[place] = True
            elif (row := self.rows[sequence]) < 0:
                self.rows[sequence] = self.count
                self.sources[sequence] = source
                self.checksums[sequence] = zlib.crc32(vector.tobytes())
                self.file.seek(0, 2)
                self.file.write(vector.tobytes())
                self.count += 1
            elif self._is_same(int(row), vector):
                repeated[place] = True
            else:
                contradicts[place] = self.contradicted[sequence] = True
                self.rows[sequence] = -1
                before = int(self.sources[sequence])
                self.lost[before] = self.lost.get(before, 0) + 1
        return repeated, contradicts

    def _is_same(self, row: int, vector: Vectors) -> bool:
        self.file.seek(4 * self.width * row)
        before = np.frombuffer(self.file.read(4 * self.width), "<f4")
        return bool(np.linalg.norm(before - vector) <= SAME_VECTOR * np.linalg.norm(before))

    def index(self, digests: npt.NDArray[np.uint64]) -> Index:
        """The index; `digests` (frames, 2) are those of the sequences by place."""
        kept = np.flatnonzero(self.rows >= 0)
        return Index.of(digests[kept], self.rows[kept], self.sources[kept], self.checksums[kept])


@contextmanager
def new_store(folder: Path, kind: str, *, width: int, sequences: int) -> Iterator[VectorStore]:
    """An empty store in `folder` for so many distinct sequences; its file is written when the block ends."""
    with vectors_file(folder, kind).open("w+b") as file:
        yield VectorStore(
            file,
            kind,
            width,
            rows=np.full(sequences, -1, np.int64),
            sources=np.zeros(sequences, np.int32),
            checksums=np.zeros(sequences, np.uint32),
            contradicted=np.zeros(sequences, bool),
        )


def finish_store(store: VectorStore, folder: Path, digests: npt.NDArray[np.uint64], *, bundle_digest: str) -> Index:
    """Write the index of `store`, when its vectors are written; returns it."""
    index = store.index(digests)
    write_index(folder, store.kind, index, width=store.width, bundle_digest=bundle_digest)
    return index

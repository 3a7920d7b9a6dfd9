"""Vectors taken over from earlier work, found by the sequence that they are of.

For each kind of sequence there are two files: `{kind}.vectors`, rows of float32, and `{kind}.index`, where for each
sequence its digest, its row, the source that it came from and a checksum of the row are. A row is read when it is
needed, so that a worker holds those of one shard.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.shards.arrays import EmbeddingKey, arrays_digest, read_valid_arrays, write_arrays
from virnucpro_tasks.shards.engine_stats import EngineStats
from virnucpro_tasks.system.file_operations import sync

INDEX_ARRAYS = ("first", "second", "rows", "sources", "checksums")
DIGEST_BYTES = 16

Vectors = npt.NDArray[np.float32]


def sequence_digests(sequences: Sequence[str] | Sequence[bytes]) -> npt.NDArray[np.uint64]:
    """Digests of sequences, 128 bits each: uint64 (n, 2)."""
    texts = (text.encode() if isinstance(text, str) else text for text in sequences)
    joined = b"".join(hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest() for text in texts)
    return np.frombuffer(joined, "<u8").reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Index:
    """The index of one kind, sorted by the first half of the digest; all arrays are of one length.

    `first` and `second` uint64 are the digests, `rows` int64 places in the file of vectors, `sources` int32 numbers of
    sources and `checksums` uint32 the CRC-32 of the rows.
    """

    first: npt.NDArray[np.uint64]
    second: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int32]
    checksums: npt.NDArray[np.uint32]

    @classmethod
    def of(
        cls,
        digests: npt.NDArray[np.uint64],
        rows: npt.NDArray[np.int64],
        sources: npt.NDArray[np.int32],
        checksums: npt.NDArray[np.uint32],
    ) -> Self:
        """Sort the entries by digest."""
        order = np.lexsort((digests[:, 1], digests[:, 0]))
        return cls(digests[order, 0], digests[order, 1], rows[order], sources[order], checksums[order])

    def places(self, digests: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The entry of each digest, -1 for one that is not there."""
        if not len(self.first):
            return np.full(len(digests), -1, np.int64)
        found = np.minimum(np.searchsorted(self.first, digests[:, 0]), len(self.first) - 1)
        same = (self.first[found] == digests[:, 0]) & (self.second[found] == digests[:, 1])
        return np.where(same, found, -1)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the index, which with its checksums stands for the vectors, too."""
        return arrays_digest({name: getattr(self, name) for name in INDEX_ARRAYS}, {})


@dataclass(frozen=True, slots=True)
class FoundVectors:
    """Vectors for some of a list of sequences: `places` (k,) in that list, `vectors` (k, width), `sources` (k,)."""

    places: npt.NDArray[np.int64]
    vectors: Vectors
    sources: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ImportedVectors:
    """The imported vectors of one kind, `width` wide, in two files of `folder`."""

    folder: Path
    kind: str
    width: int
    index: Index

    @classmethod
    def open(cls, folder: Path, kind: str, *, width: int, bundle_digest: str) -> Self | None:
        """Open the vectors of `kind`; None if their index is missing, damaged or of another bundle."""
        found = read_valid_arrays(
            index_file(folder, kind), _key(kind, width=width, bundle_digest=bundle_digest), names=INDEX_ARRAYS
        )
        return None if found is None else cls(folder, kind, width, Index(**found[0]))

    def find(self, sequences: Sequence[str]) -> FoundVectors:
        """The vectors of those of `sequences` that have one; a row that was changed on the disk counts as none."""
        entries = self.index.places(sequence_digests(sequences))
        places = np.flatnonzero(entries >= 0)
        entries = entries[places]
        vectors = np.empty((len(places), self.width), np.float32)
        valid = np.zeros(len(places), bool)
        if len(places):
            with vectors_file(self.folder, self.kind).open("rb", buffering=0) as file:
                # In the order of the file.
                for number in np.argsort(self.index.rows[entries], kind="stable").tolist():
                    entry = entries[number]
                    row = os.pread(file.fileno(), 4 * self.width, 4 * self.width * int(self.index.rows[entry]))
                    if len(row) == 4 * self.width and zlib.crc32(row) == self.index.checksums[entry]:
                        vectors[number] = np.frombuffer(row, "<f4")
                        valid[number] = True
        return FoundVectors(places[valid], vectors[valid], self.index.sources[entries[valid]])


def write_index(folder: Path, kind: str, index: Index, *, width: int, bundle_digest: str) -> None:
    """Write the index of one kind, whose vectors are written, and sync both files."""
    file = index_file(folder, kind)
    arrays = {name: getattr(index, name) for name in INDEX_ARRAYS}
    write_arrays(file, arrays, EngineStats(), _key(kind, width=width, bundle_digest=bundle_digest))
    sync(file)
    sync(vectors_file(folder, kind))


def index_file(folder: Path, kind: str) -> Path:
    """The file of the index of `kind`."""
    return folder / f"{kind}.index"


def vectors_file(folder: Path, kind: str) -> Path:
    """The file of the vectors of `kind`."""
    return folder / f"{kind}.vectors"


def _key(kind: str, *, width: int, bundle_digest: str) -> EmbeddingKey:
    return EmbeddingKey(f"imported {kind} vectors, {width} wide", bundle_digest, "")

"""Files of the arrays of a shard: safetensors with a key of the work that they belong to, and a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save, save_file

from virnucpro_tasks.shards.engine_stats import EngineStats
from virnucpro_tasks.system.file_errors import error_number
from virnucpro_tasks.system.file_operations import NO_MMAP, NOT_SUPPORTED, by_name, persistently, utf8_path
from virnucpro_tasks.system.files import atomic_path

DIGEST_BLOCK_BYTES = 2**22
DIGEST_THREADS = 4
ENTRY = "about"
"""The only entry in the metadata of such a file: safetensors writes several in any order."""


LEFT_OUT = ("whole_proteins", "build")
"""Parts of a key that files do not state if they are as always, as files of older versions do not."""


@dataclass(frozen=True, slots=True)
class EmbeddingKey:
    """Everything that determines the vectors of a shard, and so its scores. It is stored in their files.

    A file with another key is not valid.
    """

    shard_digest: str
    bundle_digest: str
    precision: str
    whole_proteins: bool = False
    """Whether proteins are not cut, as in the original."""

    build: str = ""
    """The build of the job; versions up to 0.7.0 tell none."""

    def stored(self) -> dict[str, Any]:
        """The entries of a file."""
        entries = asdict(self)
        return {name: entry for name, entry in entries.items() if entry or name not in LEFT_OUT}


def write_arrays(path: Path, arrays: dict[str, np.ndarray], stats: EngineStats, key: EmbeddingKey) -> None:
    """Write named arrays, the counters of the engine and their key atomically.

    The file is not synced to the disk: if the host crashes, what is left of it is not valid.
    """
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    counters = asdict(stats)
    about = {"key": key.stored(), "computed": counters, "sha256": arrays_digest(tensors, counters)}
    with atomic_path(path, durable=False) as temporary, utf8_path(temporary) as place:
        metadata = {ENTRY: json.dumps(about, sort_keys=True)}
        persistently(lambda: _save(tensors, place, metadata))


def _save(tensors: dict[str, np.ndarray], place: Path, metadata: dict[str, str]) -> None:
    try:
        save_file(tensors, place, metadata=metadata)
    except SafetensorError as error:
        # It creates its file exclusively, which not every file system can do.
        if error_number(error) not in NOT_SUPPORTED:
            raise
        place.write_bytes(save(tensors, metadata=metadata))


def read_valid_arrays(
    path: Path, key: EmbeddingKey, *, names: Collection[str]
) -> tuple[dict[str, np.ndarray], EngineStats] | None:
    """The arrays for `key` in `path`, which are called `names`, and the counters of the engine.

    None if the file is missing, of other work, cut off or changed since then. Raises OSError if that cannot be told.
    """
    try:
        about, arrays = by_name(lambda: _read(path), path)
        if about["key"] != key.stored() or about["sha256"] != arrays_digest(arrays, about["computed"]):
            return None
        stats = EngineStats(**about["computed"])
    except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return (arrays, stats) if arrays.keys() == set(names) else None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The metadata and the arrays of a file; through mmap if its file system has that."""
    try:
        with utf8_path(path) as place, safe_open(place, framework="numpy") as handle:
            arrays = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
            return json.loads(handle.metadata()[ENTRY]), arrays
    except OSError as error:
        if error_number(error) not in NO_MMAP:
            raise
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"][ENTRY]), load(content)


def arrays_digest(arrays: dict[str, np.ndarray], counters: dict[str, Any]) -> str:
    """SHA-256 (hex) of named arrays (names, types, shapes and digests of their blocks) and of the counters.

    Blocks are hashed by several threads, because a GPU waits for it between two shards.
    """
    digest = hashlib.sha256(json.dumps(counters, sort_keys=True).encode())
    is_small = all(array.nbytes <= DIGEST_BLOCK_BYTES for array in arrays.values())
    # Starting threads takes longer than hashing the scores of a shard.
    with nullcontext() if is_small else ThreadPoolExecutor(DIGEST_THREADS) as threads:
        for name, array in sorted(arrays.items()):
            content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            blocks = np.split(content, range(DIGEST_BLOCK_BYTES, content.size, DIGEST_BLOCK_BYTES))
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            digest.update(b"".join((threads.map if threads else map)(_sha256, blocks)))
    return digest.hexdigest()


def _sha256(block: np.ndarray) -> bytes:
    return hashlib.sha256(block.data).digest()

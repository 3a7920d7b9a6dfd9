"""Records of the workers that embedded a job: one file a worker process, in the folder of the job.

Its first line says what the process computes with, each line after it names a shard, before the vectors of that shard
are written. Only the report of the job is made from them, so what cannot be written or read is left out.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.system.file_operations import open_to_append, read_bytes


class WorkerFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A worker, and what it computes with.

    `device` is the name of the GPU, or cpu; `processor` the model of the processor; `driver` the version of the NVIDIA
    driver and `cuda` that of CUDA, None on a CPU or if unknown.
    """

    host: str
    worker: str
    device: str
    processor: str
    driver: str | None
    cuda: str | None
    torch: str


class EmbeddedShard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shard that the worker of the file has embedded, and when (ISO 8601, UTC)."""

    shard: int
    at: str


class WorkerRecord:
    """The record of this process in the jobs that it works for."""

    def __init__(self, facts: WorkerFacts) -> None:
        self._facts = facts
        # Process ids are used again, in the next container of a host too.
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}.jsonl"

    def add(self, paths: JobPaths, shard: int) -> None:
        """Note that this process has embedded `shard`."""
        entry = EmbeddedShard(shard, _now())
        with suppress(OSError), open_to_append(paths.workers / self._name) as handle:
            lines = [] if handle.tell() else [self._facts]
            handle.write(b"".join(msgspec.json.encode(line) + b"\n" for line in (*lines, entry)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def worker_report(paths: JobPaths, shards: Collection[int]) -> list[dict[str, Any]]:
    """The workers that embedded `shards`, and how many of them each: one entry for all processes with equal facts.

    A shard that was embedded twice counts for whoever was last.
    """
    latest: dict[int, tuple[str, WorkerFacts]] = {}
    for facts, entry in _entries(paths):
        if entry.shard not in latest or latest[entry.shard][0] < entry.at:
            latest[entry.shard] = (entry.at, facts)
    counts = Counter(latest[shard][1] for shard in set(shards) & latest.keys())
    return [msgspec.to_builtins(facts) | {"shards": counts[facts]} for facts in sorted(counts, key=str)]


def _entries(paths: JobPaths) -> Iterator[tuple[WorkerFacts, EmbeddedShard]]:
    for file in _files(paths):
        with suppress(OSError, msgspec.DecodeError):
            first, *rest = read_bytes(file).splitlines() or [b""]
            facts = msgspec.json.decode(first, type=WorkerFacts)
            for line in rest:
                # The last one may be cut off.
                with suppress(msgspec.DecodeError):
                    yield facts, msgspec.json.decode(line, type=EmbeddedShard)


def _files(paths: JobPaths) -> list[Path]:
    try:
        return sorted(file for file in paths.workers.iterdir() if file.suffix == ".jsonl")
    except OSError:
        return []

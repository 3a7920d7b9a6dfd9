"""Records of the workers that embedded a job: one file a worker process, in the folder of the job.

Its first line says what the process computes with, each line after it names a shard, before the vectors of that shard
are written. Only the report of the job is made from them, so what cannot be written or read is left out.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.system.file_operations import open_to_append, read_bytes


class WorkerFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A worker, and what it computes with.

    `device` is the name of the GPU, or cpu; `processor` the model of the processor; `driver` the version of the NVIDIA
    driver and `cuda` that of CUDA, None on a CPU or if unknown. `version` and `build` are those of this package, empty
    for versions up to 0.7.0.
    """

    host: str
    worker: str
    device: str
    processor: str
    driver: str | None
    cuda: str | None
    torch: str
    version: str = ""
    build: str = ""


Time = Annotated[datetime, Meta(tz=True)]


class EmbeddedShard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shard that the worker of the file has embedded: from when, None if an earlier version wrote it, until when."""

    shard: int
    at: Time
    began_at: Time | None = None

    @property
    def seconds(self) -> float:
        return (self.at - self.began_at).total_seconds() if self.began_at else 0.0


@dataclass(frozen=True, slots=True)
class ShardWork:
    """An embedded shard, and the worker that embedded it."""

    worker: WorkerFacts
    entry: EmbeddedShard


class WorkerRecord:
    """The record of this process in the jobs that it works for."""

    def __init__(self, facts: WorkerFacts) -> None:
        self._facts = facts
        self._began_at: datetime | None = None
        # Process ids are used again, in the next container of a host too.
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}.jsonl"

    def begin(self) -> None:
        """Note that this process begins to embed a shard; it embeds one at a time."""
        self._began_at = _now()

    def add(self, paths: JobPaths, shard: int) -> None:
        """Note that this process has embedded `shard`."""
        entry = EmbeddedShard(shard, _now(), self._began_at)
        with suppress(OSError), open_to_append(paths.workers / self._name) as handle:
            lines = [] if handle.tell() else [self._facts]
            handle.write(b"".join(msgspec.json.encode(line) + b"\n" for line in (*lines, entry)))


def _now() -> datetime:
    return datetime.now(UTC)


def embedded_shards(paths: JobPaths, shards: Collection[int]) -> dict[int, ShardWork]:
    """The worker of each of `shards`, in their order; a shard that was embedded twice is of whoever was last.

    Shards of which nothing is known are left out.
    """
    latest: dict[int, ShardWork] = {}
    for work in _entries(paths):
        shard = work.entry.shard
        if shard not in latest or latest[shard].entry.at < work.entry.at:
            latest[shard] = work
    return {shard: latest[shard] for shard in sorted(shards) if shard in latest}


def worker_report(embedded: Mapping[int, ShardWork], tokens: Sequence[int]) -> list[dict[str, Any]]:
    """The workers of a job, one entry for all processes with equal facts: shards, ESM-2 tokens, seconds of work.

    `tokens` are those of each shard of the job.
    """
    by_worker: dict[WorkerFacts, list[EmbeddedShard]] = {}
    for work in embedded.values():
        by_worker.setdefault(work.worker, []).append(work.entry)
    return [
        msgspec.to_builtins(facts)
        | {
            "shards": len(entries := by_worker[facts]),
            "tokens": sum(tokens[entry.shard] for entry in entries),
            "seconds": round(sum(entry.seconds for entry in entries), 3),
        }
        for facts in sorted(by_worker, key=str)
    ]


def _entries(paths: JobPaths) -> Iterator[ShardWork]:
    for file in _files(paths):
        with suppress(OSError, msgspec.DecodeError):
            first, *rest = read_bytes(file).splitlines() or [b""]
            facts = msgspec.json.decode(first, type=WorkerFacts)
            for line in rest:
                # The last one may be cut off.
                with suppress(msgspec.DecodeError):
                    yield ShardWork(facts, msgspec.json.decode(line, type=EmbeddedShard))


def _files(paths: JobPaths) -> list[Path]:
    try:
        return sorted(file for file in paths.workers.iterdir() if file.suffix == ".jsonl")
    except OSError:
        return []

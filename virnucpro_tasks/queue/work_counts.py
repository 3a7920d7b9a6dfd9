"""Counts of what each worker has done, in Redis, for metrics: nothing waits for them, and no result depends on them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from virnucpro_tasks.keys import WORKERS_COUNTED, work_counts
from virnucpro_tasks.pipeline.shard_state import ShardState

KEPT_SECONDS = 86_400
"""Counts of a worker stay so long after its last shard or death; a worker of that name that comes later begins at 0."""

REFUSED = "refused"
"""The end of an attempt whose message went back because Redis or the store failed."""

ENDS = (*map(str, ShardState), REFUSED)
"""All ends of attempts that a worker counts."""

SHARDS = "shards."
"""Begins the name of each count of attempts, by their end."""


@dataclass(frozen=True, slots=True)
class WorkCounts:
    """The work of a worker since its counts began.

    `shards` are its tasks at shards by their end: a state of `ShardState`, or REFUSED. `seconds` is the time that they
    took, `tokens` the ESM-2 tokens of those that it embedded. `packed_tokens` of both models were in packs that could
    hold `capacity`; `out_of_memory` packs were too large for the device, `recomputed_packs` overflowed. `deaths` are
    those of its processes: a shard that one of them was at is in no other count.
    """

    shards: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    tokens: int = 0
    packed_tokens: int = 0
    capacity: int = 0
    out_of_memory: int = 0
    recomputed_packs: int = 0
    deaths: int = 0

    @property
    def tasks(self) -> int:
        """All tasks at shards, however they ended."""
        return sum(self.shards.values())


COUNTED = ("seconds", "tokens", "packed_tokens", "capacity", "out_of_memory", "recomputed_packs", "deaths")
"""The counts beside those of shards, by their names here and in Redis."""


def count_shard(client: Any, worker: str, *, end: str, seconds: float, counts: Mapping[str, int]) -> None:
    """Count a shard for `worker`: its end, the time that it took, further counts by name. Raises redis.RedisError."""
    if not worker:
        return
    key = work_counts(worker)
    with client.pipeline(transaction=False) as pipeline:
        pipeline.hincrby(key, SHARDS + end, 1)
        pipeline.hincrbyfloat(key, "seconds", round(seconds, 3))
        for name in COUNTED:
            if number := counts.get(name):
                pipeline.hincrby(key, name, number)
        _keep(pipeline, worker)
        pipeline.execute()


def count_death(client: Any, worker: str) -> None:
    """Count the death of a process of `worker`. Raises redis.RedisError."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.hincrby(work_counts(worker), "deaths", 1)
        _keep(pipeline, worker)
        pipeline.execute()


def _keep(pipeline: Any, worker: str) -> None:
    pipeline.expire(work_counts(worker), KEPT_SECONDS)
    pipeline.sadd(WORKERS_COUNTED, worker)


def all_work_counts(client: Any) -> dict[str, WorkCounts]:
    """Return the counts of each worker by its name, and forget workers without any. Raises redis.RedisError."""
    workers = sorted(bytes(name).decode() for name in client.smembers(WORKERS_COUNTED))
    if not workers:
        return {}
    with client.pipeline(transaction=False) as pipeline:
        for worker in workers:
            pipeline.hgetall(work_counts(worker))
        found = dict(zip(workers, pipeline.execute(), strict=True))
    if gone := [worker for worker, fields in found.items() if not fields]:
        client.srem(WORKERS_COUNTED, *gone)
    return {worker: _read(fields) for worker, fields in found.items() if fields}


def _read(fields: Mapping[bytes, bytes]) -> WorkCounts:
    numbers: dict[str, float] = {}
    for name, text in fields.items():
        with suppress(ValueError):
            numbers[name.decode(errors="replace")] = float(text)
    shards = {name.removeprefix(SHARDS): int(number) for name, number in numbers.items() if name.startswith(SHARDS)}
    whole = {name: int(numbers.get(name, 0)) for name in COUNTED if name != "seconds"}
    return WorkCounts(dict(sorted(shards.items())), numbers.get("seconds", 0.0), **whole)

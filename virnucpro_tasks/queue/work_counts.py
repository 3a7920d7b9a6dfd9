"""Counts of what each worker has done, in Redis, for metrics: nothing waits for them, and no result depends on them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from virnucpro_tasks.keys import WORKERS_COUNTED, work_counts

KEPT_SECONDS = 86_400
"""Counts of a worker stay so long after its last shard; a worker of that name that comes later begins at 0."""

REFUSED = "refused"
"""The end of an attempt whose message went back because Redis or the store failed."""

SHARDS = "shards."
"""Begins the name of each count of attempts, by their end."""


@dataclass(frozen=True, slots=True)
class WorkCounts:
    """The work of a worker since its counts began.

    `shards` are its tasks at shards by their end: a state of `ShardState`, or REFUSED. `seconds` is the time that they
    took, `tokens` the ESM-2 tokens of those that it embedded. `packed_tokens` of both models were in packs that could
    hold `capacity`; `out_of_memory` packs were too large for the device, `recomputed_packs` overflowed.
    """

    shards: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    tokens: int = 0
    packed_tokens: int = 0
    capacity: int = 0
    out_of_memory: int = 0
    recomputed_packs: int = 0

    @property
    def tasks(self) -> int:
        """All tasks at shards, however they ended."""
        return sum(self.shards.values())


COUNTED = ("seconds", "tokens", "packed_tokens", "capacity", "out_of_memory", "recomputed_packs")
"""The counts beside those of shards, by their names here and in Redis."""


@dataclass(slots=True)
class Counter:
    """Takes the end of the shard that is being counted, and the counts of what was computed for it."""

    end: str = REFUSED
    counts: Mapping[str, int] = field(default_factory=dict)


@contextmanager
def counted_shard(client: Any, worker: str) -> Iterator[Counter]:
    """Count the work of the block for `worker` at its end. What Redis does not take is lost."""
    counter, began = Counter(), time.monotonic()
    try:
        yield counter
    finally:
        with suppress(RedisError, OSError):
            _add(client, worker, counter, time.monotonic() - began)


def _add(client: Any, worker: str, counter: Counter, seconds: float) -> None:
    key = work_counts(worker)
    with client.pipeline(transaction=False) as pipeline:
        pipeline.hincrby(key, SHARDS + counter.end, 1)
        pipeline.hincrbyfloat(key, "seconds", round(seconds, 3))
        for name in COUNTED:
            if number := counter.counts.get(name):
                pipeline.hincrby(key, name, number)
        pipeline.expire(key, KEPT_SECONDS)
        pipeline.sadd(WORKERS_COUNTED, worker)
        pipeline.execute()


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

"""Progress within shards, in Redis: the share of each shard under way that its worker has computed, 0 to 1, and at the
end of a shard what the worker is counted for.

It is for display alone, so nothing waits for it. A thread beside the computation writes it, at most once in
WRITE_SECONDS, and what Redis does not take is lost. A shard that starts again elsewhere keeps its share until the other
worker is beyond it, so that no display goes back.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from redis.exceptions import RedisError

from virnucpro_tasks.keys import shard_shares
from virnucpro_tasks.queue.work_counts import REFUSED, count_shard

WRITE_SECONDS = 1.0
KEPT_SECONDS = 3_600
"""The shares of a job expire so long after the last one was written."""

FINISHED_SECONDS = 60.0
"""Time that a finished shard keeps its entry: on other hosts a network file system may show its vectors later."""


def shares_of(client: Any, job_id: str) -> dict[int, float]:
    """Return the shares of a job's shards by number; finished ones may be among them. Raises redis.RedisError."""
    return shares_of_jobs(client, [job_id])[job_id]


def shares_of_jobs(client: Any, job_ids: Sequence[str]) -> dict[str, dict[int, float]]:
    """Return the shares of each of the jobs with one question to Redis. Raises redis.RedisError."""
    with client.pipeline(transaction=False) as pipeline:
        for job_id in job_ids:
            pipeline.hgetall(shard_shares(job_id))
        return dict(zip(job_ids, map(_shares, pipeline.execute()), strict=True))


def _shares(entries: Mapping[bytes, bytes]) -> dict[int, float]:
    found = {}
    for number, share in entries.items():
        with suppress(ValueError):
            found[int(number)] = min(1.0, max(0.0, float(share)))
    return found


@dataclass(slots=True)
class Told:
    """News of a computation: the share that it has reached, and at its end how it ended and what it has computed."""

    share: float = 0.0
    end: str = REFUSED
    counts: Mapping[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def tell(self, share: float) -> None:
        """Take the share of the shard that is computed; neither waits nor fails."""
        self.share = share


class ShareWriter:
    """Writes what is told of the shards that this process computes, one after the other."""

    def __init__(self, client: Any, *, seconds: float = WRITE_SECONDS) -> None:
        self._client = client
        self._seconds = seconds
        self._finished: deque[tuple[float, str, int]] = deque()
        """Time, key and number of shards whose entries are still there."""

    @contextmanager
    def writing(self, job_id: str, shard: int, *, worker: str = "") -> Iterator[Told]:
        """Take what is told of a shard; it is written meanwhile, and counted for `worker` at the end of the block.

        Neither waits for Redis.
        """
        told, ended = Told(), Event()
        # No thread may be had under a limit of processes, and the work goes on without.
        with suppress(RuntimeError):
            Thread(target=self._write, args=(shard_shares(job_id), shard, told, ended, worker), daemon=True).start()
        try:
            yield told
        finally:
            ended.set()

    def _write(self, key: str, shard: int, told: Told, ended: Event, worker: str) -> None:
        written: float | None = None
        while not ended.wait(self._seconds):
            with suppress(RedisError, OSError, ValueError):
                if written is None:
                    written = self._before(key, shard)
                # Taken once: the next one may be told while this one is written.
                if (share := told.share) > written:
                    self._put(key, shard, share)
                    written = share
        if written is not None and told.share == 1:
            with suppress(RedisError, OSError):
                self._put(key, shard, 1.0)
                self._finished.append((time.monotonic(), key, shard))
        with suppress(RedisError, OSError):
            count_shard(self._client, worker, end=told.end, seconds=time.monotonic() - told.began, counts=told.counts)

    def _before(self, key: str, shard: int) -> float:
        """The share that an earlier attempt reached; one that came to its end was of no use."""
        found = float(self._client.hget(key, shard) or 0)
        return found if 0 <= found < 1 else 0.0

    def _put(self, key: str, shard: int, share: float) -> None:
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hset(key, shard, f"{share:.4f}")
            pipeline.expire(key, KEPT_SECONDS)
            while self._finished and time.monotonic() - self._finished[0][0] >= FINISHED_SECONDS:
                _, finished_key, finished = self._finished.popleft()
                pipeline.hdel(finished_key, finished)
            pipeline.execute()

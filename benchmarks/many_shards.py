"""Measures Celery and Redis with a job of very many shards, on workers that compute nothing.

One coordinator and one embedding process on a private Redis with an append-only file:

    enqueue         from the first shard published to the last, while a worker already takes them
    Redis memory    used_memory at its peak, less what an idle server has
    per shard       from the first shard done to the last, divided by their number
    callback        from the last shard done to the start of finishing

    python benchmarks/many_shards.py [--shards 1000 10000] [--queued-only 100000] [--output benchmarks/results]

A job of --queued-only shards is abandoned when all of them are queued, without a worker: computing 100,000 would take
long.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis
from fingerprint import fingerprint, write_result
from noop_workers import done_times, finish_started, new_job, noop_workers

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.keys import priority_lists
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue
from virnucpro_tasks.settings import Settings

LONGEST_SECONDS = 3_600


def measure_queue(settings: Settings, shards: int) -> dict[str, Any]:
    """A job of `shards` shards that nobody embeds, until all of it is queued."""
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        client = redis.Redis(unix_socket_path=str(broker.socket))
        idle = int(client.info("memory")["used_memory"])
        running = replace(settings, store=Path(folder), broker_url=broker.url)
        with noop_workers(running, ["coordinate", "coordinate-small"]):
            job = new_job(running, shards=shards, seconds=0, owner="a")
            enqueue(make_app(running), job)
            deadline = time.monotonic() + LONGEST_SECONDS
            while not (job.paths.root / "split-done").exists():
                assert time.monotonic() < deadline, "not queued in time"
                time.sleep(0.05)
            queue = job.queue
            queued = sum(client.llen(name) for name in priority_lists(queue))
            used = int(client.info("memory")["used_memory"])
        return {
            "shards": shards,
            "queued": queued,
            "enqueue_seconds": round(published_seconds(job), 2),
            "redis_megabytes": round((used - idle) / 1e6, 1),
        }


def published_seconds(job: Job) -> float:
    """From the first shard published to the last."""
    return (job.paths.root / "split-done").stat().st_mtime - (job.paths.root / "split-started").stat().st_mtime


def measure(settings: Settings, shards: int) -> dict[str, Any]:
    """One job of `shards` shards."""
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        client = redis.Redis(unix_socket_path=str(broker.socket))
        idle = peak = int(client.info("memory")["used_memory"])
        running = replace(settings, store=Path(folder), broker_url=broker.url)
        with noop_workers(running, ["coordinate", "coordinate-small", "embed"]):
            job = new_job(running, shards=shards, seconds=0, owner="a")
            enqueue(make_app(running), job)
            deadline = time.monotonic() + LONGEST_SECONDS
            while not finish_started(job).exists():
                assert time.monotonic() < deadline, "not finished in time"
                peak = max(peak, int(client.info("memory")["used_memory"]))
                time.sleep(0.05)
        done = done_times(job)
        return {
            "shards": shards,
            "done": len(done),
            "enqueue_seconds": round(published_seconds(job), 2),
            "redis_megabytes": round((peak - idle) / 1e6, 1),
            "per_shard_ms": round((done[-1] - done[0]) / (len(done) - 1) * 1e3, 2),
            "callback_seconds": round(finish_started(job).stat().st_mtime - done[-1], 3),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--queued-only", type=int, nargs="*", default=[100_000])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    settings = Settings(bundle="demo", lease_seconds=60)
    measured = [measure(settings, shards) for shards in options.shards]
    measured += [measure_queue(settings, shards) for shards in options.queued_only]
    names = ("shards", "enqueue_seconds", "redis_megabytes", "per_shard_ms", "callback_seconds")
    write_result(
        options.output / "many_shards",
        {"machine": fingerprint(), "jobs": measured},
        rows=[tuple(f"{row[name]:,}" if name in row else "not measured" for name in names) for row in measured],
        header=("shards", "enqueued in, s", "Redis, MB", "a shard, ms", "callback after, s"),
    )


if __name__ == "__main__":
    main()

"""Measures the cost of a shard besides its embedding: lease, reading, writing, acknowledging.

One CPU worker, the demonstration bundle, many small shards of the same input, three measurements:

    engine   Engine.embed alone, in this process
    files    ShardWorker.embed: the same with reading, attempt record, checks and writing
    queue    the same shards through Celery and Redis, from the files' times: first to last, a shard

so files - engine is the cost of our own files, and queue - files that of Celery and Redis.

    python benchmarks/shard_overhead.py INPUT.fasta [--shard-tokens 2000] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.local_workers import LocalWorkers
from virnucpro_tasks.pipeline.embed_shard import ShardWorker, embed_frames
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue, wait_for
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.tables import read_table

MILLISECONDS = 1e3


def new_job(settings: Settings, source: Path) -> Job:
    return submit(
        settings,
        [source],
        chunk_length=None,
        min_length=None,
        strict=False,
        keep_embeddings=True,
        priority=0,
    )


def measure_here(settings: Settings, source: Path) -> dict[str, float]:
    job = new_job(settings, source)
    shards = list(split_files(job))
    worker = ShardWorker(settings)
    engine = worker.engine()
    embed_frames(engine, read_table(job.paths.frames(shards[0])), lambda: False)
    engine_times, file_times = [], []
    for shard in shards:
        frames = read_table(job.paths.frames(shard))
        started = time.perf_counter()
        embed_frames(engine, frames, lambda: False)
        engine_times.append(time.perf_counter() - started)
        started = time.perf_counter()
        worker.embed(job, shard)
        file_times.append(time.perf_counter() - started)
    return {
        "shards": len(shards),
        "engine_ms": statistics.median(engine_times) * MILLISECONDS,
        "files_ms": statistics.median(file_times) * MILLISECONDS,
    }


def measure_queue(settings: Settings, source: Path) -> dict[str, float]:
    with EmbeddedBroker() as broker:
        settings = replace(settings, broker_url=broker.url)
        job = new_job(settings, source)
        with LocalWorkers(settings, devices="cpu") as workers:
            app = make_app(settings)
            enqueue(app, job)
            for _ in wait_for(app, job, lease_seconds=settings.lease_seconds):
                workers.check()
    times = sorted(file.stat().st_mtime for file in job.paths.embeddings.glob("[0-9]*"))
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    return {"queue_ms": statistics.median(gaps) * MILLISECONDS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("--shard-tokens", type=int, default=2_000)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=Path(folder), bundle="demo", shard_tokens=options.shard_tokens)
        result: dict[str, Any] = measure_here(settings, options.input) | measure_queue(settings, options.input)
    result["own_files_ms"] = result["files_ms"] - result["engine_ms"]
    result["celery_ms"] = result["queue_ms"] - result["files_ms"]
    result["outside_engine_ms"] = result["queue_ms"] - result["engine_ms"]
    write_result(
        options.output / "shard_overhead",
        {"machine": fingerprint(), "shard_tokens": options.shard_tokens} | result,
        rows=[(name, f"{result[name]:.1f}") for name in result if name.endswith("_ms")],
        header=("median, a shard", "ms"),
    )


if __name__ == "__main__":
    main()

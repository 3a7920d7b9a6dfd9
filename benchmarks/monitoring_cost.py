"""Measures what being counted and looked at costs a worker, in processor time, which other processes hardly change.

counting   in the process that computes: the thread that writes progress and counts to Redis, and starting it. Shards of
           a job with it and without it take turns, so that both are seen in one run.
looks      in the worker's parent process: the answers to an exporter that looks once a second, less what the process
           takes without one. An exporter looks every 15 s unless told otherwise.

    python benchmarks/monitoring_cost.py [--shards 8] [--seconds 60] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import redis
from alert_scene import ROOT, Scene, wait_for
from fingerprint import fingerprint, write_result

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.pipeline.embed_shard import ShardWorker
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.queue.shard_shares import ShareWriter, Told
from virnucpro_tasks.settings import Settings

LOOK_SECONDS = 15
SHARD_BASES = 12_000


class MeasuredWriter(ShareWriter):
    """A ShareWriter that sums the processor time of its threads."""

    seconds = 0.0
    shards = 0

    def _write(self, *arguments: Any) -> None:
        try:
            super()._write(*arguments)
        finally:
            self.seconds += time.thread_time()
            self.shards += 1


def new_job(settings: Settings, shards: int) -> Job:
    """A job of at least so many shards, split."""
    chosen = random.Random(shards)
    reads = settings.store.parent / "reads.fasta"
    codons = ("GCT", "GGT", "CTG", "ACC", "GTT", "AAA", "GAC")
    lines = (f">r{number}\n{''.join(chosen.choices(codons, k=SHARD_BASES // 3))}\n" for number in range(shards))
    reads.write_text("".join(lines))
    job = submit(settings, [reads], chunk_length=None, min_length=None, strict=False, keep_embeddings=False, priority=6)
    assert len(list(split_files(job))) >= shards
    return job


def counting(shards: int) -> dict[str, Any]:
    """Processor time of shards with and without counting, and of counting alone."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedBroker() as broker:
        settings = Settings(store=Path(folder) / "store", bundle="demo", shard_tokens=SHARD_BASES // 3)
        settings = replace(settings, broker_url=broker.url)
        client = redis.Redis(unix_socket_path=str(broker.socket))
        worker, writer = ShardWorker(settings), MeasuredWriter(client)
        counted, uncounted = (new_job(settings, shards + 1) for _ in range(2))
        worker.embed(counted, 0)  # loads the models
        began, with_it, without_it, starting = time.monotonic(), 0.0, 0.0, 0.0
        for shard in range(1, shards + 1):
            entered = time.process_time()
            with timed_ends(writer.writing(counted.job_id, shard, worker="embed-cpu0@here")) as (told, ends):
                told.end = worker.embed(counted, shard, tell_share=told.tell)
                told.counts = worker.computed
            with_it += time.process_time() - entered
            starting += ends()
            entered = time.process_time()
            worker.embed(uncounted, shard)
            without_it += time.process_time() - entered
        while writer.shards < shards:
            time.sleep(0.01)
        written = int(client.info("commandstats")["cmdstat_hset"]["calls"])
    cost = writer.seconds + starting
    return {
        "shards": shards,
        "seconds": round(time.monotonic() - began, 1),
        "progress_writes": written,
        "processor_seconds_with_counting": round(with_it, 3),
        "processor_seconds_without_counting": round(without_it, 3),
        "processor_seconds_of_counting": round(cost, 4),
        "of_counting_for_each_shard": round(cost / shards, 5),
        "counting_share": cost / with_it,
    }


@contextmanager
def timed_ends(block: Any) -> Iterator[tuple[Told, Any]]:
    """A context manager with the processor time of this thread at its beginning and end."""
    began = time.thread_time()
    told = block.__enter__()
    taken = [time.thread_time() - began]
    yield told, lambda: sum(taken)
    began = time.thread_time()
    block.__exit__(None, None, None)
    taken.append(time.thread_time() - began)


def processor_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return used.user + used.system


def looks(seconds: int) -> dict[str, Any]:
    """Processor time of an idle worker's parent process, with and without an exporter."""
    with tempfile.TemporaryDirectory() as folder, Scene(Path(folder), factor=LOOK_SECONDS) as scene:
        scene.start_workers("host", "--devices", "cpu", "--coordinators", "0")
        (parent,) = psutil.Process(scene.processes["host"].pid).children()
        time.sleep(5)
        began = processor_seconds(parent)
        time.sleep(seconds)
        alone = processor_seconds(parent) - began
        scene.start_exporter()
        wait_for(lambda: look_at(scene))
        began, since, seen = processor_seconds(parent), time.monotonic(), set()
        while (passed := time.monotonic() - since) < seconds:
            seen.add(look_at(scene))
            time.sleep(0.5)
        watched, made = processor_seconds(parent) - began, len(seen) - 1
    a_look = (watched - alone * passed / seconds) / made
    return {
        "looks": made,
        "processor_seconds_alone": round(alone, 2),
        "processor_seconds_watched": round(watched, 2),
        "processor_seconds_of_a_look": round(a_look, 5),
        "looks_share": a_look / LOOK_SECONDS,
    }


def look_at(scene: Scene) -> str:
    """The line of /metrics with the time of the last look; empty before the first one."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{scene.exporter_port}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
    except urllib.error.URLError:
        return ""
    return next((line for line in lines if line.startswith("virnucpro_look_timestamp_seconds ")), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=60, help="with an exporter, and without")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    found = {"counting": counting(options.shards), "looks": looks(options.seconds)}
    share = found["counting"]["counting_share"] + found["looks"]["looks_share"]
    rows = [
        (name.replace("_", " "), f"{value:.3%}" if name.endswith("share") else f"{value:,}")
        for part in found.values()
        for name, value in part.items()
    ]
    rows.append(("both, of one core", f"{share:.3%}"))
    content = {"machine": fingerprint(), "figures": found, "share": share}
    write_result(options.output / "monitoring_cost", content, rows=rows, header=("figure", "value"))


if __name__ == "__main__":
    main()

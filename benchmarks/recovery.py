"""How long a killed worker's shard waits until somebody runs it again.

Two CPU workers and the demonstration bundle. In the middle of a job one of them is killed with SIGKILL: only the child
that computes, or the whole worker (its child dies with it). The delay is from the signal to the next attempt at the
shard that was lost, read from its attempts file. Then the job's results are compared with those of a quiet run.

    python benchmarks/recovery.py INPUT.fasta [--lease-seconds 10] [--rounds 3] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from fingerprint import fingerprint, write_result

from virnucpro_tasks.app import make_app
from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs import Job
from virnucpro_tasks.local_workers import LocalWorkers
from virnucpro_tasks.queueing import enqueue, wait_for
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.submitting import submit

KINDS = ("child", "worker")
FINISHED_BEFORE_KILL = 3


def new_job(settings: Settings, source: Path) -> Job:
    return submit(
        settings, [source], chunk_length=None, min_length=None, strict=False, keep_embeddings=False, priority=0
    )


def attempts_of(job: Job, shard: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in job.paths.attempts(shard).read_text().splitlines()]


def running_shard(job: Job) -> tuple[int, int] | None:
    """A shard that is being computed, and the process id of the child at it."""
    for file in sorted((job.paths.root / "attempts").glob("*.jsonl")):
        shard = int(file.stem)
        if file.stat().st_size and not job.paths.embedding(shard).exists():
            return shard, int(attempts_of(job, shard)[0]["pid"])
    return None


def run(settings: Settings, source: Path, kind: str | None) -> tuple[float | None, dict[str, str]]:
    """One job; returns the delay in seconds (None if nothing was killed) and the digests of its results."""
    delay, killed, lost = None, None, None
    with EmbeddedBroker() as broker:
        settings = replace(settings, broker_url=broker.url)
        job = new_job(settings, source)
        with LocalWorkers(settings, devices="cpu,cpu") as workers:
            app = make_app(settings)
            enqueue(app, job)
            for progress in wait_for(app, job, lease_seconds=settings.lease_seconds, poll_seconds=0.02):
                workers.check()
                if kind and killed is None and progress.shards_done >= FINISHED_BEFORE_KILL:
                    found = running_shard(job)
                    if found is None:
                        continue
                    lost, child = found
                    victim = child if kind == "child" else psutil.Process(child).ppid()
                    killed = time.time()
                    os.kill(victim, signal.SIGKILL)
    if lost is not None and killed is not None:
        again = datetime.fromisoformat(attempts_of(job, lost)[1]["at"]).timestamp()
        delay = again - killed
    return delay, json.loads(job.paths.run.read_bytes())["sha256"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("--lease-seconds", type=float, default=10.0)
    parser.add_argument("--shard-tokens", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            store=Path(folder),
            bundle="demo",
            shard_tokens=options.shard_tokens,
            lease_seconds=options.lease_seconds,
        )
        _, quiet = run(settings, options.input, None)
        delays: dict[str, list[float]] = {kind: [] for kind in KINDS}
        identical = True
        for kind in KINDS * options.rounds:
            delay, digests = run(settings, options.input, kind)
            assert delay is not None, "nothing was killed: the job is too short"
            delays[kind].append(round(delay, 2))
            identical &= digests == quiet
    write_result(
        options.output / "recovery",
        {
            "machine": fingerprint(),
            "lease_seconds": options.lease_seconds,
            "identical_results": identical,
            "delay_seconds": delays,
        },
        rows=[
            (kind, str(len(times)), f"{statistics.median(times):.1f}", f"{max(times):.1f}", str(identical))
            for kind, times in delays.items()
        ],
        header=("killed", "times", "median delay, s", "longest, s", "identical results"),
    )


if __name__ == "__main__":
    main()

"""Counts how often a shard is run that takes three hundred leases, with two workers that could take it.

The demonstration bundle, one job of one shard, two CPU workers on a private Redis, and a lease of seconds; the engine
is slowed down as in the service tests (tests/service/faults). Then the same without the delay. Attempts are read from
the job's files, and the results of both are compared.

    python benchmarks/long_shard.py INPUT.fasta [--seconds 600] [--lease-seconds 2] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.local_workers import LocalWorkers
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue, wait_for
from virnucpro_tasks.recovery.events import Began, read_events
from virnucpro_tasks.settings import Settings

FAULTS = Path(__file__).resolve().parents[1] / "tests" / "service" / "faults"


def run(settings: Settings, source: Path, *, delay_seconds: float) -> dict[str, Any]:
    """One job of one shard: its wall time, its attempts, the digests of its results."""
    # What the workers inherit: Python imports sitecustomize.py from there.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(FAULTS), os.environ.get("PYTHONPATH")]))
    os.environ |= {"TEST_FAULTS": "none", "TEST_SLOW_SECONDS": str(delay_seconds)}
    with EmbeddedBroker() as broker:
        settings = replace(settings, broker_url=broker.url)
        job = submit(
            settings, [source], chunk_length=None, min_length=None, strict=False, keep_embeddings=False, priority=0
        )
        with LocalWorkers(settings, devices="cpu,cpu") as workers:
            app = make_app(settings)
            started = time.monotonic()
            enqueue(app, job)
            for _ in wait_for(app, job, lease_seconds=settings.lease_seconds):
                workers.check()
            seconds = time.monotonic() - started
    events = [event for file in (job.paths.root / "attempts").glob("[0-9]*.jsonl") for event in read_events(file)]
    return {
        "seconds": round(seconds, 1),
        "attempts": sum(isinstance(event, Began) for event in events),
        "sha256": json.loads(job.paths.run.read_bytes())["sha256"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--lease-seconds", type=float, default=2.0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = {
            kind: run(
                Settings(store=folder / kind, bundle="demo", lease_seconds=options.lease_seconds, shard_tokens=10**9),
                options.input,
                delay_seconds=delay_seconds,
            )
            for kind, delay_seconds in (("slowed", options.seconds), ("quiet", 0.0))
        }
    identical = runs["slowed"]["sha256"] == runs["quiet"]["sha256"]
    write_result(
        options.output / "long_shard",
        {
            "machine": fingerprint(),
            "lease_seconds": options.lease_seconds,
            "identical_results": identical,
            "runs": runs,
        },
        rows=[
            (kind, f"{found['seconds']:.0f}", str(found["attempts"]), str(identical)) for kind, found in runs.items()
        ],
        header=(f"one shard, lease of {options.lease_seconds:g} s", "job, s", "attempts", "identical results"),
    )


if __name__ == "__main__":
    main()

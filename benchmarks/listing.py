"""Measures `virnucpro list` and its filters on a store of many jobs, as a process of its own that prints to a file.

ended    jobs that are done: each with the run.json of a real run
open     jobs that are half embedded, and a Redis; no worker is there

python benchmarks/listing.py [--jobs 1000] [--shards 200] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result
from monitoring import make_jobs

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import job_ids
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.settings import Settings

SAMPLE = Path(__file__).resolve().parents[1] / "examples" / "sample.fasta"
ROUNDS = 3


def listed(settings: Settings, *flags: str) -> dict[str, float]:
    """The least time and processor time of some runs of `virnucpro list` with these flags, and its lines."""
    took = []
    for _ in range(ROUNDS):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", "virnucpro_tasks.cli.main", "list", *flags]
        environment = os.environ | settings.environment()
        shown = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        took.append((round(time.perf_counter() - began, 2), round(processor, 2)))
    seconds, processor = min(took)
    return {"seconds": seconds, "processor_seconds": processor, "lines": shown.count("\n")}


def done_jobs(settings: Settings, jobs: int) -> None:
    """Fill the store with copies of one finished job."""
    command = [sys.executable, "-m", "virnucpro_tasks.cli.main", "predict", str(SAMPLE), "--devices", "cpu", "--quiet"]
    output = settings.store.parent / "out"
    kept = subprocess.run([*command, "--output", str(output)], env=os.environ | settings.environment(), check=False)
    if kept.returncode:
        raise SystemExit(f"predict ended with {kept.returncode}")
    make_jobs(settings, settings.store.parent, jobs=jobs, shards=2)
    for job_id in job_ids(settings.store):
        shutil.copy(output / "run.json", JobPaths.of(settings.store, job_id).run)


def measure(broker_url: str, folder: Path, *, jobs: int, shards: int) -> dict[str, Any]:
    """The figures of a store of ended jobs, and of one of open jobs."""
    settings = Settings(store=folder / "ended", bundle="demo", broker_url=broker_url)
    done_jobs(settings, jobs)
    found = {"ended": listed(settings), "ended_state_open": listed(settings, "--state", "open")}
    settings = replace(settings, store=folder / "open")
    make_jobs(settings, folder, jobs=jobs, shards=shards)
    return found | {
        "open": listed(settings),
        "open_json": listed(settings, "--json"),
        "open_of_another": listed(settings, "--owner", "nobody"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--shards", type=int, default=200, help="of each open job")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        found = measure(broker.url, Path(folder), jobs=options.jobs, shards=options.shards)
    rows = [
        (name.replace("_", " "), *(f"{figures[name_]:,}" for name_ in ("seconds", "processor_seconds", "lines")))
        for name, figures in found.items()
    ]
    write_result(
        options.output / "listing",
        {"machine": fingerprint(), "jobs": options.jobs, "shards": options.shards, "figures": found},
        rows=rows,
        header=("jobs", "seconds", "processor seconds", "lines"),
    )


if __name__ == "__main__":
    main()

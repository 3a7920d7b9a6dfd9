"""Measures what watching a big deployment takes: a store of many open jobs, none of which moves, and a Redis.

first look      reads all jobs
later looks     read what has changed: of each job nothing but times of its files
with a change   the same after one shard of every tenth job was finished
scrape          /metrics over HTTP, of the last look
page            the page of jobs and workers over HTTP
peak            resident memory of this process after so many looks

python benchmarks/monitoring.py [--jobs 1000] [--shards 200] [--looks 20] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.monitoring.observer import Observer
from virnucpro_tasks.monitoring.serve import LastLook, serving
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import ShardEntry, write_plan

TOKENS = 250_000
PING_SECONDS = 0.2
"""No worker is there: nobody is waited for."""


def make_jobs(settings: Settings, folder: Path, *, jobs: int, shards: int) -> list[Job]:
    """Jobs that are half done, by what their folders hold."""
    sample = folder / "sample.fasta"
    sample.write_text(">a\n" + "ACGT" * 300 + "\n")
    entry = ShardEntry(1, 1, TOKENS, "", "", "")
    made = []
    for _ in range(jobs):
        job = submit(
            settings, [sample], chunk_length=None, min_length=None, strict=False, keep_embeddings=False, priority=6
        )
        write_plan(job.paths.plan, [entry] * shards)
        for shard in range(shards // 2):
            job.paths.embedding(shard).touch()
        made.append(job)
    return made


def seconds_of(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(settings: Settings, folder: Path, *, jobs: int, shards: int, looks: int) -> dict[str, Any]:
    """The figures of one store."""
    made = make_jobs(settings, folder, jobs=jobs, shards=shards)
    before = peak_bytes()
    observer, last = Observer(make_app(settings), settings), LastLook()

    def look() -> None:
        last.keep(observer.look(seconds=PING_SECONDS))

    first = seconds_of(look)
    after_first = peak_bytes()
    later = min(seconds_of(look) for _ in range(looks))
    for job in made[::10]:
        job.paths.embedding(shards // 2).touch()
    changed = seconds_of(look)
    with serving(last, address="127.0.0.1", port=0, every_seconds=15) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        scraped = urllib.request.urlopen(f"{url}/metrics").read()
        scrape = min(seconds_of(lambda: urllib.request.urlopen(f"{url}/metrics").read()) for _ in range(5))
        page = min(seconds_of(lambda: urllib.request.urlopen(url).read()) for _ in range(3))
    return {
        "jobs": jobs,
        "shards": jobs * shards,
        "first_look_seconds": round(first, 2),
        "later_look_seconds": round(later, 2),
        "changed_look_seconds": round(changed, 2),
        "scrape_seconds": round(scrape, 3),
        "scrape_bytes": len(scraped),
        "page_seconds": round(page, 3),
        "megabytes_before": round(before / 1e6),
        "megabytes_after_first": round(after_first / 1e6),
        "megabytes_after_all": round(peak_bytes() / 1e6),
        "looks": looks + 2,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--shards", type=int, default=200, help="of each job")
    parser.add_argument("--looks", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=Path(folder) / "store", bundle="demo")
        settings = replace(settings, broker_url=broker.url)
        found = measure(settings, Path(folder), jobs=options.jobs, shards=options.shards, looks=options.looks)
    rows = [(name.replace("_", " "), f"{value:,}") for name, value in found.items()]
    write_result(
        options.output / "monitoring",
        {"machine": fingerprint(), "figures": found},
        rows=rows,
        header=("figure", "value"),
    )


if __name__ == "__main__":
    main()

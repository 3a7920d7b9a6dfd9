"""Measures whether users get equal shares of the workers, and how long a tiny job waits behind a giant one.

Real workers, queues and chords on a private Redis; shards only sleep. Four measurements:

    three users      one job each, submitted one after the other
    many jobs of one one user with five jobs against two with one each
    tiny job         one shard, submitted behind GIANT shards that wait, by another user and by the same one
    many live jobs   the cost of a request to Redis with that many queues, by the rate of shards that do nothing

Jain's index of n users with x shards each while all of them had work: (sum x)^2 / (n * sum x^2); 1 is equal.

    python benchmarks/fairness.py [--workers 3] [--giant 10000] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result
from noop_workers import done_times, finish_started, new_job, noop_workers

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import Job, cancel_job
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import drop_waiting, enqueue
from virnucpro_tasks.settings import Settings

SHARD_SECONDS = 0.05
SHARDS = 300
MANY_JOBS = (1, 50, 200, 500)
MANY_SHARDS = 1_000
COORDINATORS = ["coordinate", "coordinate-small"]


def jain(shares: list[int]) -> float:
    """Jain's index of fairness."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


def wait_for(condition: Callable[[], Any], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing within the time"
        time.sleep(0.02)


@contextmanager
def deployment(settings: Settings, *, workers: int) -> Iterator[Settings]:
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        running = replace(settings, store=Path(folder), broker_url=broker.url)
        with noop_workers(running, [*COORDINATORS, *["embed"] * workers]):
            yield running


def shares(settings: Settings, jobs_of: dict[str, int], *, workers: int) -> dict[str, Any]:
    """Shards that each user got until the first user had no work left."""
    with deployment(settings, workers=workers) as running:
        app = make_app(running)
        jobs: dict[str, list[Job]] = {owner: [] for owner in jobs_of}
        for owner, count in jobs_of.items():
            for _ in range(count):
                job = new_job(running, shards=SHARDS, seconds=SHARD_SECONDS, owner=owner)
                enqueue(app, job)
                jobs[owner].append(job)
        every = [job for owned in jobs.values() for job in owned]
        wait_for(lambda: all(finish_started(job).exists() for job in every))
        # What finishes here does nothing, so the watchdog has a finished job done again while others are at work.
        firsts = {owner: [done_times(job)[:SHARDS] for job in owned] for owner, owned in jobs.items()}
        times = {owner: sorted(when for each in owned for when in each) for owner, owned in firsts.items()}
    begin = max(owned[0] for owned in times.values())
    end = min(owned[-1] for owned in times.values())
    counts = {owner: sum(begin <= when <= end for when in owned) for owner, owned in times.items()}
    return {"shards": counts, "seconds": round(end - begin, 2), "jain": round(jain(list(counts.values())), 4)}


def tiny_behind_giant(settings: Settings, giant: int, owner: str, *, workers: int) -> dict[str, Any]:
    """Seconds from the submission of one shard to its callback, while `giant` shards of another job wait."""
    with deployment(settings, workers=workers) as running:
        app = make_app(running)
        big = new_job(running, shards=giant, seconds=SHARD_SECONDS, owner="a")
        enqueue(app, big)
        wait_for(lambda: (big.paths.root / "split-done").exists())
        before = time.time()
        tiny = new_job(running, shards=1, seconds=SHARD_SECONDS, owner=owner)
        enqueue(app, tiny)
        wait_for(finish_started(tiny).exists)
        seconds = finish_started(tiny).stat().st_mtime - before
        waiting = giant - len(done_times(big))
        cancel_job(big)
        drop_waiting(app, big)
    return {"seconds": round(seconds, 2), "giant_shards_waiting": waiting}


def many_live_jobs(settings: Settings, jobs: int) -> float:
    """Shards a second of one worker while so many jobs have shards."""
    with deployment(settings, workers=1) as running:
        app = make_app(running)
        made = [new_job(running, shards=MANY_SHARDS // jobs, seconds=0, owner=f"u{n % 10}") for n in range(jobs)]
        for job in made:
            enqueue(app, job)
        wait_for(lambda: all(finish_started(job).exists() for job in made))
        times = sorted(when for job in made for when in done_times(job))
    # Without the first and the last tenth, in which not all jobs are there.
    tenth = len(times) // 10
    return round((len(times) - 2 * tenth) / (times[-tenth - 1] - times[tenth]), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--giant", type=int, default=10_000)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    settings = Settings(bundle="demo", lease_seconds=30)
    equal = shares(settings, {"a": 1, "b": 1, "c": 1}, workers=options.workers)
    unequal = shares(settings, {"a": 5, "b": 1, "c": 1}, workers=options.workers)
    tiny = {
        name: tiny_behind_giant(settings, options.giant, owner, workers=options.workers)
        for name, owner in (("another user", "b"), ("the same user", "a"))
    }
    rates = {jobs: many_live_jobs(settings, jobs) for jobs in MANY_JOBS}
    rows = [
        ("three users with a job each", "Jain's index", f"{equal['jain']:.3f}"),
        ("five jobs of one user, one each of two others", "Jain's index", f"{unequal['jain']:.3f}"),
        *(
            (f"tiny job of {name} behind {options.giant:,} shards", "seconds", f"{found['seconds']:.1f}")
            for name, found in tiny.items()
        ),
        *((f"{jobs} jobs live", "shards/s of one worker", f"{rate:.0f}") for jobs, rate in rates.items()),
    ]
    write_result(
        options.output / "fairness",
        {
            "machine": fingerprint(),
            "workers": options.workers,
            "shard_seconds": SHARD_SECONDS,
            "three_users": equal,
            "five_jobs_of_one": unequal,
            "tiny_behind_giant": tiny,
            "shards_per_second_with_live_jobs": rates,
        },
        rows=rows,
        header=("what", "unit", "value"),
    )


if __name__ == "__main__":
    main()

"""Measures how much of the time of many workers goes into shards, with numbers of workers that are fixed or change.

Workers are real processes on a real Redis (each a Celery parent and its computing child) whose shards only sleep, so
that a host of two cores can hold 64 of them: what is measured is the queue, not the computing. Two kinds of runs:

    steady     all workers are ready, then a job of ROUNDS shards for each is queued.
               Efficiency: seconds of all shards / (workers x seconds from the first begin to the last end)
    schedule   workers join and leave (SIGTERM) at fixed times while there is more work than they can do.
               Efficiency: seconds at shards / seconds from the first shard of each worker to the end of its last,
               or to the end of the schedule; how long it takes to the first shard is told beside it

    python benchmarks/elastic.py [--steady 5:1,8,32,64 1:1,8,32] [--schedule 1:0,+7:10,+24:20,+32:35,-32:55,-24:70,0:85]
                                 [--output benchmarks/results] [--picture docs/images/elastic.svg]

A step of the schedule is a change of the number of workers, and the second of it; its last step ends it. The default
takes about five minutes. Nothing else may run on the host meanwhile.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from fingerprint import fingerprint, write_result
from noop_workers import DoneShard, Fleet, done_shards, finish_started, new_job
from worker_curve import write_worker_curve

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue
from virnucpro_tasks.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
LONGEST_SECONDS = 600.0
ROUNDS_SECONDS = 30.0
"""A steady run has as many shards for each worker as take so long."""

SCHEDULE_SHARD_SECONDS = 5.0
COORDINATORS = ("coordinate", "coordinate-small")


@dataclass(slots=True)
class Deployment:
    """A fleet with a Redis of its own."""

    settings: Settings
    fleet: Fleet
    broker_pid: int

    def processor_seconds(self) -> dict[str, float]:
        """Processor time of the server and of all workers so far."""
        workers = [psutil.Process(self.fleet.pid), *psutil.Process(self.fleet.pid).children(recursive=True)]
        return {
            "redis": _processor_seconds(psutil.Process(self.broker_pid)),
            "workers": sum(map(_processor_seconds, workers)),
        }

    def start(self, count: int) -> list[int]:
        """Start embedding workers, and wait until they take messages."""
        before = self.fleet.ready()
        started = [self.fleet.start("embed") for _ in range(count)]
        until(lambda: self.fleet.ready() >= before + count)
        return started


def _processor_seconds(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.Error:
        return 0.0
    return used.user + used.system


@contextmanager
def deployment() -> Iterator[Deployment]:
    with tempfile.TemporaryDirectory() as folder, EmbeddedBroker() as broker:
        store = Path(folder)
        settings = replace(Settings(bundle="demo"), store=store, broker_url=broker.url)
        with Fleet(settings) as fleet:
            for role in COORDINATORS:
                fleet.start(role)
            until(lambda: fleet.ready() >= len(COORDINATORS))
            yield Deployment(settings, fleet, broker.pid)


def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("nothing within the time")
        time.sleep(0.05)


def steady(workers: int, seconds: float) -> dict[str, Any]:
    """A job of equal shards on a fixed number of workers."""
    rounds = round(ROUNDS_SECONDS / seconds)
    with deployment() as running:
        running.start(workers)
        before = running.processor_seconds()
        job = new_job(running.settings, shards=workers * rounds, seconds=seconds, owner="a")
        enqueue(make_app(running.settings), job)
        until(lambda: finish_started(job).exists())
        used = {name: value - before[name] for name, value in running.processor_seconds().items()}
        done = done_shards(job)
    assert [shard.number for shard in sorted(done)] == list(range(workers * rounds)), "each shard once"
    took = max(shard.ended for shard in done) - min(shard.began for shard in done)
    gaps = pauses(done)
    return {
        "workers": workers,
        "shard_seconds": seconds,
        "shards": len(done),
        "seconds": round(took, 3),
        "efficiency": round(len(done) * seconds / (workers * took), 4),
        "median_pause_ms": round(statistics.median(gaps) * 1e3, 1),
        "longest_pause_ms": round(max(gaps) * 1e3, 1),
        "processor_ms_a_shard": {name: round(value / len(done) * 1e3, 2) for name, value in used.items()},
    }


def pauses(done: Sequence[DoneShard]) -> list[float]:
    """The seconds between two shards of the same worker, of all workers."""
    found = []
    by_worker = sorted(done, key=lambda shard: (shard.worker, shard.began))
    for _, group in itertools.groupby(by_worker, key=lambda shard: shard.worker):
        found += [later.began - earlier.ended for earlier, later in itertools.pairwise(group)]
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the number of workers at a time in seconds; a change of 0 ends the schedule."""

    at: float
    change: int


def scheduled(steps: Sequence[Step]) -> dict[str, Any]:
    """A job with more shards than can be done, on workers that join and leave."""
    shard_seconds = SCHEDULE_SHARD_SECONDS
    end = steps[-1].at
    with deployment() as running:
        most = max(itertools.accumulate(step.change for step in steps))
        shards = round(most * end / shard_seconds)
        job = new_job(running.settings, shards=shards, seconds=shard_seconds, owner="a")
        enqueue(make_app(running.settings), job)
        until((job.paths.root / "split-done").exists)
        zero = time.time()
        joined: dict[int, float] = {}
        left: dict[int, float] = {}
        for step in steps:
            time.sleep(max(0.0, zero + step.at - time.time()))
            for _ in range(step.change):
                joined[running.fleet.start("embed")] = time.time()
            present = [pid for pid in joined if pid not in left]
            for pid in present[: -step.change if step.change < 0 else 0]:
                running.fleet.end(pid)
                left[pid] = time.time()
        # What was begun is noted when it ends.
        time.sleep(shard_seconds + 1)
        done = done_shards(job)
    assert len({shard.number for shard in done}) == len(done), "each shard once"
    last = {
        pid: max((s.ended for s in done if s.worker == pid and s.began < zero + end), default=0.0) for pid in joined
    }
    firsts = {pid: min((s.began for s in done if s.worker == pid), default=zero + end) for pid in joined}
    stays = {pid: (firsts[pid], max(left[pid], last[pid]) if pid in left else zero + end) for pid in joined}
    stays = {pid: (at, max(at, min(until_, zero + end))) for pid, (at, until_) in stays.items()}
    busy = sum(max(0.0, min(shard.ended, zero + end) - shard.began) for shard in done)
    return {
        "shard_seconds": shard_seconds,
        "seconds": end,
        "workers_joined": len(joined),
        "workers_left": len(left),
        "shards": len(done),
        "efficiency": round(busy / sum(until_ - at for at, until_ in stays.values()), 4),
        "median_seconds_to_first_shard": round(statistics.median(firsts[pid] - joined[pid] for pid in joined), 2),
        "longest_seconds_to_first_shard": round(max(firsts[pid] - joined[pid] for pid in joined), 2),
        "steps": [[step.at, step.change] for step in steps],
        "present": _counts([(at - zero, until_ - zero) for at, until_ in stays.values()], end),
        "at_shards": _counts([(s.began - zero, s.ended - zero) for s in done], end),
    }


def _counts(spans: Sequence[tuple[float, float]], end: float) -> list[list[float]]:
    """How many of `spans` hold, each half second."""
    times = [step / 2 for step in range(int(2 * end) + 1)]
    return [[at, sum(begin <= at < stop for begin, stop in spans)] for at in times]


def _steady_runs(words: Sequence[str]) -> list[tuple[int, float]]:
    return [
        (int(count), float(seconds))
        for seconds, _, counts in (w.partition(":") for w in words)
        for count in counts.split(",")
    ]


def _steps(text: str) -> list[Step]:
    pairs = [word.split(":") for word in text.split(",")]
    return [Step(float(at), int(change)) for change, at in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steady", nargs="*", default=["5:1,8,32,64", "1:1,8,32"], help="shard seconds:workers,...")
    parser.add_argument("--schedule", default="+1:0,+7:10,+24:20,+32:35,-32:55,-24:70,0:85", help="change:second,...")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "images" / "elastic.svg")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for workers, seconds in _steady_runs(options.steady):
        rows.append(steady(workers, seconds))
        print(rows[-1], flush=True)
    content: dict[str, Any] = {"machine": fingerprint(), "load_before": os.getloadavg(), "steady": rows}
    table = [
        (
            *(str(row["workers"]), f"{row['shard_seconds']:g}", str(row["shards"]), f"{row['efficiency']:.3f}"),
            *(f"{row['median_pause_ms']:.0f}", f"{row['longest_pause_ms']:.0f}"),
            *(f"{row['processor_ms_a_shard'][name]:.1f}" for name in ("workers", "redis")),
        )
        for row in rows
    ]
    if options.schedule:
        run = content["schedule"] = scheduled(_steps(options.schedule))
        table.append(
            (
                f"1 to {max(int(count) for _, count in run['present'])} by schedule",
                *(f"{run['shard_seconds']:g}", str(run["shards"]), f"{run['efficiency']:.3f}", "", "", "", ""),
            )
        )
        write_worker_curve(options.picture, present=run["present"], at_shards=run["at_shards"])
    write_result(
        options.output / "elastic",
        content,
        rows=table,
        header=(
            *("workers", "a shard, s", "shards", "efficiency", "median pause, ms", "longest, ms"),
            *("processor, ms a shard: workers", "Redis"),
        ),
    )


if __name__ == "__main__":
    main()

"""Watches what a deployment holds over many jobs: open files, memory, Redis, disk; says which of it grows.

    small    JOBS small jobs, one after another with a few waiting, on a real deployment: supervisor, CPU worker,
             coordinators and Flower, with the demonstration bundle. At the end all jobs are pruned.
    shards   one job of SHARDS shards on workers that compute nothing (noop_workers.py), and Flower.

Each figure is sampled every few seconds, by kind of process. Its growth is the slope of a line through the samples
after the first third, in which caches fill: `flat` if what that makes over the rest of the run is less than a
twentieth of the figure (or less than four files, 8 MB of memory), otherwise the growth for each job or thousand shards.

    python benchmarks/soak.py small [--jobs 1000]
    python benchmarks/soak.py shards [--shards 10000] [--workers 4]
                                     each: [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import redis
from fingerprint import fingerprint, write_result
from noop_workers import Fleet, done_shards, finish_started, new_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.prune import Keep, PruneRule, prunable_jobs, prune
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import drop_waiting, enqueue
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.socket_folder import free_port
from virnucpro_tasks.system.isolation import child_environment, isolated_command
from virnucpro_tasks.system.processes import spawn

SAMPLE_SECONDS = 3.0
WAITING_JOBS = 8
WARM_SHARE = 1 / 3
FLAT_SHARE = 0.05
LEAST_GROWTH = {"files": 4.0, "threads": 4.0, "rss_mb": 8.0, "redis_mb": 1.0, "keys": 20.0, "temporary_files": 4.0}
LONGEST_SECONDS = 1_800.0
COPIES = 40
MOST_SAMPLES = 20
"""In the file there are up to twice as many."""

Series = dict[str, list[tuple[float, float, float]]]
"""By figure: samples of seconds, what is done (jobs or shards), value."""


@dataclass(slots=True)
class Watch:
    """Samples of a deployment: processes by kind, its Redis, its store and its temporary folder."""

    broker: EmbeddedBroker
    store: Path
    temporary: Path
    roots: dict[str, int]
    """The process at the top of each tree, by kind; workers below are told apart by their role."""

    series: Series = field(default_factory=lambda: defaultdict(list))
    started: float = field(default_factory=time.monotonic)

    def sample(self, done: int) -> None:
        """Take one sample of everything."""
        client = redis.Redis(unix_socket_path=str(self.broker.socket))
        values: dict[str, float] = {
            "redis_mb Redis": int(client.info("memory")["used_memory"]) / 1e6,
            "keys Redis": float(client.dbsize()),
            "temporary_files": float(sum(1 for _ in self.temporary.rglob("*"))),
        }
        client.close()
        for kind, process in self._processes():
            with contextlib.suppress(psutil.Error):
                values[f"files {kind}"] = values.get(f"files {kind}", 0) + process.num_fds()
                values[f"rss_mb {kind}"] = values.get(f"rss_mb {kind}", 0) + process.memory_info().rss / 1e6
                values[f"threads {kind}"] = values.get(f"threads {kind}", 0) + process.num_threads()
        at = time.monotonic() - self.started
        for name, value in values.items():
            self.series[name].append((round(at, 1), done, round(value, 3)))

    def sample_disk(self, done: int) -> None:
        """Add up the store, which takes longer."""
        found = sum(file.lstat().st_blocks * 512 for file in self.store.rglob("*") if not file.is_dir())
        self.series["disk_mb store"].append((round(time.monotonic() - self.started, 1), done, found / 1e6))

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        yield "Redis", psutil.Process(self.broker.pid)
        for kind, pid in self.roots.items():
            top = psutil.Process(pid)
            yield kind, top
            for child in top.children():
                with contextlib.suppress(psutil.Error):
                    if (role := _role(child)) is None:
                        # The child of a simulated worker.
                        yield f"{kind.partition(' ')[0]}, computing", child
                        continue
                    yield f"{role}, parent", child
                    for computing in child.children():
                        yield f"{role}, computing", computing


def _role(process: psutil.Process) -> str | None:
    words = process.cmdline()
    return words[words.index("--role") + 1] if "--role" in words else None


def growth(samples: list[tuple[float, float, float]]) -> tuple[float, float]:
    """The slope per thing done after the warm part, and its value at the end."""
    warm = samples[int(len(samples) * WARM_SHARE) :]
    if len({done for _, done, _ in warm}) < 2:
        return 0.0, warm[-1][2]
    slope, _ = statistics.linear_regression([done for _, done, _ in warm], [value for _, _, value in warm])
    return slope, statistics.median(value for _, _, value in warm[-5:])


def verdict(name: str, samples: list[tuple[float, float, float]], *, unit: int, unit_name: str) -> str:
    """Whether a figure is flat, or how much it grows for `unit` things done."""
    slope, last = growth(samples)
    warm = samples[int(len(samples) * WARM_SHARE) :]
    grown = slope * (warm[-1][1] - warm[0][1])
    least = LEAST_GROWTH.get(name.partition(" ")[0], 0.0)
    if abs(grown) <= max(least, FLAT_SHARE * abs(last)):
        return "flat"
    return f"{slope * unit:+.3g} {unit_name}"


@contextlib.contextmanager
def flower(settings: Settings, log: Path) -> Iterator[int]:
    with log.open("ab") as output:
        process = spawn(
            [sys.executable, "-m", "virnucpro_tasks.cli.main", "flower", "--port", str(free_port())],
            environment=os.environ | settings.environment() | {"FLOWER_BASIC_AUTH": "a:b"},
            output=output,
        )
    yield from _until_end(process)


@contextlib.contextmanager
def supervisor(settings: Settings, temporary: Path, log: Path) -> Iterator[int]:
    flags = ["--devices", "cpu", "--coordinators", "1", "--name", "soak"]
    with log.open("ab") as output:
        process = spawn(
            isolated_command("virnucpro_workers", *flags),
            environment=child_environment(settings) | {"TMPDIR": str(temporary)},
            output=output,
        )
    yield from _until_end(process)


def _until_end(process: subprocess.Popen[bytes]) -> Iterator[int]:
    try:
        yield process.pid
    finally:
        process.terminate()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def small_jobs(jobs: int) -> tuple[Series, dict[str, Any]]:
    """Many small jobs on a real deployment."""
    with tempfile.TemporaryDirectory() as name, EmbeddedBroker() as broker:
        folder = Path(name)
        temporary = folder / "tmp"
        temporary.mkdir()
        source = folder / "small.fasta"
        source.write_text(">contig\n" + "ATGGCTAAAGGTGAACTGCGTTCA" * COPIES + "\n")
        settings = replace(Settings(bundle="demo"), store=folder / "store", broker_url=broker.url)
        with (
            supervisor(settings, temporary, folder / "workers.log") as workers,
            flower(settings, folder / "flower.log") as watching,
        ):
            app = make_app(settings)
            watch = Watch(broker, settings.store, temporary, {"supervisor": workers, "Flower": watching})
            waiting: list[Job] = []
            states = {"done": 0, "failed": 0}
            submitted = 0
            next_at, count = 0.0, 0
            while states["done"] + states["failed"] < jobs:
                while len(waiting) < WAITING_JOBS and submitted < jobs:
                    job = submit(
                        settings,
                        [source],
                        chunk_length=None,
                        min_length=None,
                        strict=False,
                        keep_embeddings=False,
                        priority=6,
                    )
                    enqueue(app, job)
                    waiting.append(job)
                    submitted += 1
                for job in list(waiting):
                    for state, file in (("done", job.paths.run), ("failed", job.paths.failed)):
                        if file.exists():
                            states[state] += 1
                            waiting.remove(job)
                            break
                if time.monotonic() >= next_at and states["done"]:
                    watch.sample(states["done"])
                    if count % 10 == 0:
                        watch.sample_disk(states["done"])
                    next_at, count = time.monotonic() + SAMPLE_SECONDS, count + 1
                if time.monotonic() - watch.started > LONGEST_SECONDS:
                    break
                time.sleep(0.05)
            watch.sample(states["done"])
            watch.sample_disk(states["done"])
            took = time.monotonic() - watch.started
            rule = PruneRule(older_than_seconds=0.0, keep=Keep.NOTHING)
            pruned = 0
            for found in prunable_jobs(settings.store, rule, now=time.time() + 60):
                if hasattr(found, "job"):
                    drop_waiting(app, found.job)
                    pruned += prune(found, rule) is None
            after = Watch(broker, settings.store, temporary, watch.roots)
            after.sample(0)
            after.sample_disk(0)
            left = {name: samples[-1][2] for name, samples in after.series.items() if "Redis" in name or "disk" in name}
    return watch.series, states | {"seconds": round(took, 1), "pruned": pruned, "left_after_pruning": left}


def many_shards(shards: int, workers: int) -> tuple[Series, dict[str, Any]]:
    """One job of very many shards that take no time."""
    with tempfile.TemporaryDirectory() as name, EmbeddedBroker() as broker:
        folder = Path(name)
        temporary = folder / "tmp"
        temporary.mkdir()
        settings = replace(Settings(bundle="demo"), store=folder / "store", broker_url=broker.url)
        settings.store.mkdir()
        with Fleet(settings) as fleet, flower(settings, folder / "flower.log") as watching:
            roles = ["coordinate", "coordinate-small", *["embed"] * workers]
            named = {f"{role} {number}": fleet.start(role) for number, role in enumerate(roles)}
            _wait(lambda: fleet.ready() >= len(roles))
            watch = Watch(broker, settings.store, temporary, {"Flower": watching} | named)
            job = new_job(settings, shards=shards, seconds=0, owner="a")
            enqueue(make_app(settings), job)
            while not finish_started(job).exists():
                done = len(done_shards(job))
                watch.sample(done)
                watch.sample_disk(done)
                if time.monotonic() - watch.started > LONGEST_SECONDS:
                    break
                time.sleep(SAMPLE_SECONDS)
            done = len(done_shards(job))
            watch.sample(done)
            took = time.monotonic() - watch.started
    return watch.series, {"shards_done": done, "seconds": round(took, 1)}


def _wait(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("the workers did not come up")
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["small", "shards"])
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.what == "small":
        series, totals = small_jobs(options.jobs)
        unit, unit_name = 1_000, "a thousand jobs"
    else:
        series, totals = many_shards(options.shards, options.workers)
        unit, unit_name = 1_000, "a thousand shards"
    rows = []
    for name, samples in sorted(series.items()):
        values = [value for _, _, value in samples]
        told = verdict(name, samples, unit=unit, unit_name=unit_name)
        rows.append((name, f"{values[0]:.6g}", f"{max(values):.6g}", f"{values[-1]:.6g}", told))
    print(totals)
    write_result(
        options.output / f"soak_{options.what}",
        {
            "machine": fingerprint(),
            "load_after": os.getloadavg(),
            "totals": totals,
            "verdicts": {row[0]: row[-1] for row in rows},
            "samples": "seconds, done, value",
            "series": {name: samples[:: max(1, len(samples) // MOST_SAMPLES)] for name, samples in series.items()},
        },
        rows=rows,
        header=("figure", "first", "most", "last", "verdict"),
    )


if __name__ == "__main__":
    main()

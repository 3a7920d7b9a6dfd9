"""Measures one job on one GPU, on several of the same host, and on a number that changes while it runs.

A bundle of the published shapes with random weights is made on the spot (6 GB for 3B). Workers are started and have
loaded their models before a job is queued, but for the one that joins late. The wall time is that of the whole job:
splitting, embedding, finishing. In the last run one worker begins alone, a second is started when half of the shards
are done and killed (-9) when three quarters are.

    python benchmarks/scaling.py TOKENIZER.json INPUT.fasta [INPUT.fasta ...] [--runs 1,2,4,joining] [--model 3B]

Writes benchmarks/results/scaling.json and scaling.md and docs/images/scaling.svg.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from curve import write_curve
from fingerprint import fingerprint, write_result
from gpu_predict import Sampler
from gpu_queue import write_bundle

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.models.sizes import ESM2_NAMES
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue, wait_for
from virnucpro_tasks.recovery.events import Began, read_events
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.system.processes import die_with_parent

ROOT = Path(__file__).resolve().parents[1]
LOADING_SECONDS = 120.0
LOG_FILE = "workers.log"
JOINING = "a second joins at a half and is killed at three quarters"
STARTED_AT, KILLED_AT = 0.4, 0.75
"""Shares of the shards: the worker has loaded its models at about a half."""
POLL_SECONDS = 0.1


@dataclass(slots=True)
class Run:
    """A job and who worked for it."""

    name: str
    gpus: int
    job: Job
    started: float
    ended: float
    samplers: list[Sampler] = field(default_factory=list)
    events: dict[str, float] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """What its files and the samples tell; times in seconds from the start of the job."""
        plan = read_plan(self.job.paths.plan)
        done = [
            (self.job.paths.embedding(number).stat().st_mtime - self.started, plan.shards[number].tokens)
            for number in plan.to_embed
        ]
        last = max(at for at, _ in done)
        report = json.loads(self.job.paths.run.read_bytes())
        devices = [
            [used for at, used, _ in sampler.samples if self.started <= at <= self.started + last]
            for sampler in self.samplers
        ]
        return {
            "run": self.name,
            "gpus": self.gpus,
            "seconds": self.ended - self.started,
            "embedding_seconds": last,
            "tokens": plan.tokens,
            "tokens_per_second": plan.tokens / last,
            "shards": len(done),
            "finishing_seconds": report["times"]["finishing_seconds"],
            "token_fill": report["engine"]["token_fill"],
            "workers": worker_times(self.job, plan.to_embed, started=self.started),
            "busy_share": [statistics.mean(samples) / 100 for samples in devices],
            "events": {name: at - self.started for name, at in self.events.items()},
            "done": sorted(done),
            "vectors": {str(number): vectors_digest(self.job, number) for number in plan.to_embed},
            "results": {
                file.name: hashlib.sha256(file.read_bytes()).hexdigest()
                for file in sorted(self.job.paths.results.glob("*.t*"))
            },
        }


def worker_times(job: Job, shards: Sequence[int], *, started: float) -> list[dict[str, float]]:
    """For each process that computed: its shards, seconds until the first, at shards, and waiting between two.

    The time at a shard is from the line in its attempts file to its vectors on disk.
    """
    spans: dict[int, list[tuple[float, float]]] = {}
    for shard in shards:
        begun = [event for event in read_events(job.paths.attempts(shard)) if isinstance(event, Began)]
        at = datetime.fromisoformat(begun[-1].at).timestamp()
        spans.setdefault(begun[-1].pid, []).append((at, job.paths.embedding(shard).stat().st_mtime))
    times = []
    for of_one in spans.values():
        of_one.sort()
        pauses = [begin - end for (_, end), (begin, _) in itertools.pairwise(of_one)]
        times.append(
            {
                "shards": len(of_one),
                "before_first_seconds": of_one[0][0] - started,
                "at_shards_seconds": sum(end - begin for begin, end in of_one),
                "between_shards_seconds": sum(pauses),
                "median_pause_seconds": statistics.median(pauses) if pauses else 0.0,
                "after_last_seconds": max(end for spans_ in spans.values() for _, end in spans_) - of_one[-1][1],
            }
        )
    return times


def vectors_digest(job: Job, shard: int) -> str:
    return hashlib.sha256(job.paths.embedding(shard).read_bytes()).hexdigest()


@contextmanager
def worker(settings: Settings, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor with what `arguments` ask for, in a process group of its own; killed at the end.

    What it logs goes to LOG_FILE in the store.
    """
    settings.store.mkdir(parents=True, exist_ok=True)
    log = (settings.store / LOG_FILE).open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "virnucpro_workers", *arguments],
        env=os.environ | settings.environment(),
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )
    try:
        yield process
    finally:
        kill(process)
        log.close()


def loaded(settings: Settings) -> int:
    """How many workers have said that their models are loaded."""
    log = settings.store / LOG_FILE
    return log.read_text(errors="replace").count("token_budget=") if log.exists() else 0


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def measure(
    name: str,
    settings: Settings,
    inputs: Sequence[Path],
    *,
    at_first: Sequence[str],
    gpus: int,
    on_progress: Callable[[Run, float, ExitStack, Settings], None] | None = None,
) -> Run:
    """Run one job with a broker of its own and a worker for each device of `at_first`."""
    # What the run before has written, or the bundle, would go to the disk during this one.
    os.sync()
    with EmbeddedBroker() as broker, ExitStack() as stack:
        settings = replace(settings, broker_url=broker.url)
        app = make_app(settings)
        before = loaded(settings)
        stack.enter_context(worker(settings, "--devices", "none", "--coordinators", "1", "--name", "coordinator"))
        for device in at_first:
            arguments = ("--devices", device, "--coordinators", "0", "--name", f"host{device}")
            stack.enter_context(worker(settings, *arguments))
        until(lambda: loaded(settings) - before == len(at_first))
        job = submit(
            settings, inputs, chunk_length=None, min_length=None, strict=False, keep_embeddings=True, priority=0
        )
        run = Run(name, gpus, job, time.time(), 0.0, [Sampler(str(device)) for device in range(gpus)])
        enqueue(app, job)
        for progress in wait_for(app, job, lease_seconds=settings.lease_seconds, poll_seconds=POLL_SECONDS):
            if on_progress and progress.shards_total:
                on_progress(run, progress.shards_done / progress.shards_total, stack, settings)
        run.ended = job.paths.run.stat().st_mtime
        for sampler in run.samplers:
            sampler.stop()
    return run


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LOADING_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("the workers did not come up")


def join_and_leave() -> Callable[[Run, float, ExitStack, Settings], None]:
    """Start a second worker so that it joins at about a half, kill it at three quarters."""
    second: list[subprocess.Popen[bytes]] = []

    def act(run: Run, share: float, stack: ExitStack, settings: Settings) -> None:
        if share >= STARTED_AT and not second:
            run.events["started"] = time.time()
            arguments = ("--devices", "1", "--coordinators", "0", "--name", "late")
            second.append(stack.enter_context(worker(settings, *arguments)))
        if share >= KILLED_AT and second and "killed" not in run.events:
            kill(second[0])
            run.events["killed"] = time.time()

    return act


def same(figures: Sequence[dict[str, Any]]) -> bool:
    """Whether vectors and results of all runs are the same bytes."""
    return all(
        one["vectors"] == other["vectors"] and one["results"] == other["results"]
        for one, other in itertools.pairwise(figures)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument(
        "--runs", default="1,2,joining", help="numbers of GPUs, and 'joining'; the first is compared to"
    )
    parser.add_argument("--model", choices=ESM2_NAMES, default="3B")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "images" / "scaling.svg")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = write_bundle(folder / "bundle", options.model, options.tokenizer)
        gc.collect()
        torch.cuda.empty_cache()
        settings = Settings(store=folder / "store", bundle=str(bundle), cpu_threads=4, lease_seconds=10.0)
        figures = []
        for asked in options.runs.split(","):
            gpus = 2 if asked == "joining" else int(asked)
            begin = ["0"] if asked == "joining" else [str(device) for device in range(gpus)]
            name = JOINING if asked == "joining" else "one GPU" if gpus == 1 else f"{gpus} GPUs"
            changes = join_and_leave() if asked == "joining" else None
            run = measure(name, settings, options.inputs, at_first=begin, gpus=gpus, on_progress=changes)
            figures.append(run.figures())
            print(f"{name}: {figures[-1]['seconds']:.1f} s", flush=True)
    one = figures[0]
    machine = fingerprint() | {"gpu": torch.cuda.get_device_name(), "gpus": torch.cuda.device_count()}
    write_curve(options.picture, {each["run"]: each["done"] for each in figures}, events=figures[-1]["events"])
    write_result(
        options.output / "scaling",
        {"machine": machine, "model": options.model, "same_bytes": same(figures), "runs": figures},
        rows=[
            (
                each["run"],
                f"{each['seconds']:.1f}",
                f"{one['seconds'] / each['seconds']:.2f}",
                f"{each['embedding_seconds']:.1f}",
                f"{one['embedding_seconds'] / each['embedding_seconds']:.2f}",
                f"{each['tokens_per_second']:,.0f}",
                f"{each['finishing_seconds']:.1f}",
                " / ".join(f"{share:.1%}" for share in each["busy_share"]),
                " / ".join(f"{1e3 * worker['median_pause_seconds']:.0f}" for worker in each["workers"]),
                f"{each['token_fill']:.1%}",
            )
            for each in figures
        ],
        header=(
            *(
                f"ESM-2 {options.model}, {one['tokens']:,} tokens",
                "whole job, s",
                "to the first",
                "embedding, s",
                "to the first",
            ),
            *("tokens/s", "finishing, s", "busy, each GPU", "pause between shards, each, ms", "token fill"),
        ),
    )
    print("the same bytes in all runs" if same(figures) else "THE RUNS DIFFER")


if __name__ == "__main__":
    main()

"""Measures how long the shard of a lost worker waits until another worker starts it, with the default lease.

Two hosts with a CPU worker each and the demonstration bundle. In the middle of a job the first one fails: SIGKILL to
the computing process, to the whole worker, or to the supervisor of the host (its processes die with it), or a cut of
its network (its computing process is stopped meanwhile, since it could still write to the store). The delay is from
then to the next attempt at the lost shard, read from its attempts file; it includes the rest of the shard that the
other host is computing. A shard takes 2 to 3 seconds here, as on a GPU. Then the results are compared with those of an
undisturbed run.

    python benchmarks/recovery.py INPUT.fasta [--rounds 3] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.chaos.hosts import Hosts, send
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue, wait_for
from virnucpro_tasks.recovery.events import Began, read_events
from virnucpro_tasks.settings import Settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from service.network import Network

FINISHED_BEFORE_HARM = 3
MEND_SECONDS = 20.0
"""A network that was cut is whole again after this."""

Harm = Callable[[Hosts, Network], Any]

KINDS: dict[str, Harm] = {
    "child": lambda host, network: [send(pid, signal.SIGKILL) for pid in host.computing()],
    "worker": lambda host, network: [send(pid, signal.SIGKILL) for pid in host.workers()],
    "supervisor": lambda host, network: [host.lose(pid) for pid in host.supervisors()],
    "network": lambda host, network: (network.cut(), [send(pid, signal.SIGSTOP) for pid in host.computing()]),
}


def new_job(settings: Settings, source: Path) -> Job:
    return submit(
        settings, [source], chunk_length=None, min_length=None, strict=False, keep_embeddings=False, priority=0
    )


def attempts_of(job: Job, shard: int) -> list[Began]:
    return [event for event in read_events(job.paths.attempts(shard)) if isinstance(event, Began)]


def running_shard(job: Job, pids: list[int]) -> int | None:
    """The shard that one of the processes `pids` has begun and not finished."""
    for file in sorted((job.paths.root / "attempts").glob("[0-9]*.jsonl")):
        shard = int(file.stem)
        if not job.paths.embedding(shard).exists() and (found := attempts_of(job, shard)) and found[-1].pid in pids:
            return shard
    return None


def run(settings: Settings, source: Path, harm: Harm | None, folder: Path) -> tuple[float | None, dict[str, str]]:
    """One job; returns the delay in seconds and the digests of its results.

    No delay if there was no harm, or if it came when the shard was as good as done.
    """
    lost, harmed_at = None, 0.0
    with EmbeddedBroker() as broker, Network(broker.socket, folder) as network:
        settings = replace(settings, broker_url=broker.url)
        far = replace(settings, broker_url=network.url)
        job = new_job(settings, source)
        with Hosts(settings, 1, folder / "near.log"), Hosts(far, 1, folder / "far.log") as victim:
            app = make_app(settings)
            enqueue(app, job)
            for progress in wait_for(app, job, lease_seconds=settings.lease_seconds, poll_seconds=0.02):
                if harm and lost is None and progress.shards_done >= FINISHED_BEFORE_HARM:
                    lost = running_shard(job, victim.computing())
                    if lost is not None:
                        before, harmed_at = len(attempts_of(job, lost)), time.time()
                        harm(victim, network)
                if harmed_at and time.time() - harmed_at > MEND_SECONDS:
                    network.mend()
                    for pid in victim.computing():
                        send(pid, signal.SIGCONT)
    delay = None
    if lost is not None and len(attempts_of(job, lost)) > before:
        again = datetime.fromisoformat(attempts_of(job, lost)[before].at).timestamp()
        delay = again - harmed_at
    return delay, json.loads(job.paths.run.read_bytes())["sha256"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("--shard-tokens", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    delays: dict[str, list[float]] = {kind: [] for kind in KINDS}
    identical = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(store=folder / "store", bundle="demo", shard_tokens=options.shard_tokens)
        _, quiet = run(settings, options.input, None, folder)
        for kind in list(KINDS) * options.rounds:
            delay = None
            while delay is None:
                (folder / "network.sock").unlink(missing_ok=True)
                delay, digests = run(settings, options.input, KINDS[kind], folder)
            delays[kind].append(round(delay, 2))
            identical &= digests == quiet
            print(kind, delays[kind][-1], digests == quiet, flush=True)
            write_result(
                options.output / "recovery",
                {
                    "machine": fingerprint(),
                    "lease_seconds": settings.lease_seconds,
                    "shard_tokens": options.shard_tokens,
                    "identical_results": identical,
                    "delay_seconds": delays,
                },
                rows=[
                    (kind, str(len(times)), f"{statistics.median(times):.1f}", f"{max(times):.1f}", str(identical))
                    for kind, times in delays.items()
                    if times
                ],
                header=("lost", "times", "median delay, s", "longest, s", "identical results"),
            )


if __name__ == "__main__":
    main()

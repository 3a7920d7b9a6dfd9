"""Measures what a host costs whose network is cut for a minute in the middle of a job, with the default lease.

Redis and two hosts, each with a CPU worker and a coordinator, are in network namespaces of their own and share the
store alone. The cable of one host is pulled when both are at a shard: no connection is closed, nothing passes. The
cut host goes on with its shard, which it can still write. Then the results are compared with those of an undisturbed
run on the same two hosts. Needs `unshare`, `nsenter` and `ip`, and no root.

    python benchmarks/network_cut.py examples/sample.fasta [--seconds 60] [--shard-tokens 3000]
                                     [--output benchmarks/results]

The job is the input so many times over that it takes two workers LENGTH times as long as the cut, by the time that a
first run takes for the input once: under five minutes for all runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Any

from fingerprint import fingerprint, write_result
from recovery import attempts_of, new_job, running_shard

from virnucpro_tasks.broker import EmbeddedBroker, find_server
from virnucpro_tasks.chaos.hosts import children
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue, wait_for
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.isolation import child_environment, isolated_command

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from service.namespaces import Host, hosts, server_at

SHARDS_BEFORE = 4
STOP_SECONDS = 20.0
LENGTH = 1.3


@contextmanager
def supervisor(host: Host, settings: Settings, name: str, log: Path) -> Iterator[int]:
    """The workers of a host; yields the process id of their supervisor."""
    flags = ["--devices", "cpu", "--coordinators", "1", "--no-small-lane", "--name", name]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*host.prefix, *isolated_command("virnucpro_workers", *flags)],
            env=child_environment(replace(settings, broker_url=host.url)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process.pid
    finally:
        # Twice: at once.
        process.terminate()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def computing(supervisor_pid: int) -> list[int]:
    """The processes of a host that compute."""
    return [child for worker in children(supervisor_pid) for child in children(worker)]


def begun(job: Job, pids: list[int]) -> list[tuple[float, int]]:
    """The times at which these processes have begun shards, and the shards, in order."""
    found = []
    for file in (job.paths.root / "attempts").glob("[0-9]*.jsonl"):
        shard = int(file.stem)
        found += [(_time(event.at), shard) for event in attempts_of(job, shard) if event.pid in pids]
    return sorted(found)


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def run(settings: Settings, source: Path, folder: Path, *, cut_seconds: float) -> dict[str, Any]:
    """One job; with `cut_seconds` of 0 undisturbed."""
    with hosts(2) as (redis, (first, second)):
        server = server_at(find_server(), redis, folder)
        with EmbeddedBroker(server=server) as broker:
            settings = replace(settings, broker_url=broker.url)
            log = folder / "workers.log"
            with (
                supervisor(first, settings, "first", log) as cut_off,
                supervisor(second, settings, "second", log) as other,
            ):
                job = new_job(settings, source)
                app = make_app(settings)
                enqueue(app, job)
                cut_at = mended_at = 0.0
                lost = None
                for progress in wait_for(app, job, lease_seconds=settings.lease_seconds, poll_seconds=0.05):
                    if cut_seconds and not cut_at and progress.shards_done >= SHARDS_BEFORE:
                        lost = running_shard(job, computing(cut_off))
                        if lost is not None and running_shard(job, computing(other)) is not None:
                            first.cut()
                            cut_at = time.time()
                    if cut_at and not mended_at and time.time() - cut_at >= cut_seconds:
                        first.mend()
                        mended_at = time.time()
                if cut_seconds and not mended_at:
                    raise SystemExit("the job ended before the cut did: take a longer input, or smaller --seconds")
                ended_at = time.time()
                theirs, ours = begun(job, computing(cut_off)), begun(job, computing(other))
        figures: dict[str, Any] = {
            "state": str(progress.state),
            "seconds": round(ended_at - min(theirs + ours)[0], 2),
            "shards": progress.shards_total,
            "sha256": json.loads(job.paths.run.read_bytes())["sha256"],
        }
        if cut_seconds:
            back = [at for at, _ in theirs if at > mended_at]
            taken_over = [at for at, shard in ours if shard == lost and at > cut_at]
            figures |= {
                "cut_seconds": round(mended_at - cut_at, 2),
                "shards_of_the_cut_host_before": sum(at < cut_at for at, _ in theirs),
                "begun_while_cut": sum(cut_at < at < mended_at for at, _ in theirs),
                "begun_after": len(back),
                "seconds_to_work_again": round(back[0] - mended_at, 2) if back else None,
                "its_shard_taken_over_after_seconds": round(taken_over[0] - cut_at, 2) if taken_over else None,
                "shards_begun_twice": len(theirs) + len(ours) - len({shard for _, shard in theirs + ours}),
            }
        return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--shard-tokens", type=int, default=3_000)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(store=folder / "store", bundle="demo", shard_tokens=options.shard_tokens)
        once = run(settings, options.input, folder, cut_seconds=0)
        source = folder / "copies.fasta"
        text = options.input.read_text()
        copies = ceil(LENGTH * options.seconds / once["seconds"])
        source.write_text("".join(text.replace(">", f">{number}_") for number in range(copies)))
        quiet = run(settings, source, folder, cut_seconds=0)
        cut = run(settings, source, folder, cut_seconds=options.seconds)
    digests = quiet.pop("sha256"), cut.pop("sha256")
    cut |= {"copies_of_the_input": copies, "seconds_without_a_cut": quiet["seconds"]}
    cut["identical_results"] = digests[0] == digests[1]
    write_result(
        options.output / "network_cut",
        {"machine": fingerprint(), "load_after": os.getloadavg(), "lease_seconds": settings.lease_seconds} | cut,
        rows=[(name.replace("_", " "), str(value)) for name, value in cut.items()],
        header=("one of two hosts is cut off", ""),
    )


if __name__ == "__main__":
    main()

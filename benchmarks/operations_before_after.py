"""Compares two checkouts by what an operator meets: a store that is away, a full Redis, a stopped process, leftovers.

For each checkout in turn, with its own workers on CPUs, Redis, a store and the demonstration bundle:

    store       its folder is away for HICCUP_SECONDS in the middle of a job of WORKERS workers: how the job ends
    Redis       bytes of the keys that stay longer than ten minutes after a job, for each shard of it
    full Redis  `maxmemory` of one byte for ten seconds: exit codes of commands, how many say it, workers that end
    child       SIGSTOP to the process that computes: seconds until the job goes on, None if not in PATIENCE_SECONDS

    python benchmarks/operations_before_after.py BEFORE AFTER [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis
from fingerprint import fingerprint, write_result

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.system.processes import die_with_parent

SAMPLE = Path(__file__).parents[1] / "virnucpro_tasks" / "sample.fasta"
COMMAND = (sys.executable, "-m", "virnucpro_tasks.cli.main")
WORKERS, COPIES, SHARD_TOKENS = 8, 8, 3_000
LASTING_SECONDS, PATIENCE_SECONDS, END_SECONDS = 600, 150.0, 600.0
HICCUP_SECONDS, FULL_SECONDS = 20.0, 10.0


class Checkout:
    """A checkout with a store and a Redis of its own."""

    def __init__(self, tree: Path, folder: Path, broker: EmbeddedBroker) -> None:
        self.store, self.log = folder / "store", folder / "workers.log"
        self.client = redis.Redis(unix_socket_path=str(broker.socket))
        self.source = folder / "copies.fasta"
        text = SAMPLE.read_text()
        self.source.write_text("".join(text.replace(">", f">{number}_") for number in range(COPIES)))
        environment = os.environ | {
            "PYTHONPATH": f"{tree}:{tree / 'workers'}",
            "VIRNUCPRO_STORE": str(self.store),
            "VIRNUCPRO_BROKER_URL": broker.url,
            "VIRNUCPRO_BUNDLE": "demo",
            "VIRNUCPRO_SHARD_TOKENS": str(SHARD_TOKENS),
        }
        self._options = {"env": environment, "cwd": folder}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *arguments], **self._options, capture_output=True, text=True, check=False)

    @contextmanager
    def workers(self, count: int) -> Iterator[psutil.Process]:
        command = [*COMMAND, "worker", "--devices", ",".join(["cpu"] * count)]
        with self.log.open("ab") as log:
            started = psutil.Popen(command, **self._options, stdout=log, stderr=log, preexec_fn=die_with_parent())
        try:
            yield started
        finally:
            for process in [started, *started.children(recursive=True)]:
                process.kill()
            started.wait()

    def submit(self, source: Path) -> str:
        """Submit a job; returns its id when its first shards are done."""
        job_id = self.run("submit", str(source), "--force-new").stdout.strip()
        within(END_SECONDS, lambda: self.status(job_id)["shards_done"] > 1)
        return job_id

    def status(self, job_id: str) -> dict[str, Any]:
        return json.loads(self.run("status", job_id, "--json").stdout)

    def end_of(self, job_id: str) -> str:
        """Wait until a job ends; returns its state then."""
        within(END_SECONDS, lambda: self.status(job_id)["state"] in ("done", "failed"))
        return self.status(job_id)["state"]

    def ended_workers(self) -> int:
        return self.log.read_text(errors="replace").count("starting again")

    def lasting_bytes(self) -> int:
        keys = [key for key in self.client.scan_iter() if not 0 <= self.client.ttl(key) <= LASTING_SECONDS]
        return sum(self.client.memory_usage(key) or 0 for key in keys)


def within(seconds: float, condition: Callable[[], Any]) -> float | None:
    """Poll until `condition` holds; returns the seconds that it took, None if it did not."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(0.5)
    return round(time.monotonic() - began, 1)


class Found(dict[str, Any]):
    """The figures of a checkout; each is printed when it is there, since the slowest takes ten minutes."""

    def __init__(self, tree: Path) -> None:
        super().__init__()
        self._tree, self._began = tree, time.monotonic()

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        print(f"{self._tree}: {name} {value} after {time.monotonic() - self._began:.0f} s", file=sys.stderr, flush=True)


def measure(tree: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, EmbeddedBroker() as broker:
        checkout, found = Checkout(tree, Path(name), broker), Found(tree)
        with checkout.workers(WORKERS):
            job_id = checkout.submit(checkout.source)
            away = checkout.store.rename(Path(name) / "away")
            time.sleep(HICCUP_SECONDS)
            found["folder_made_where_the_store_is_away"] = checkout.store.exists()
            shutil.rmtree(checkout.store, ignore_errors=True)
            away.rename(checkout.store)
            found["job_after_a_hiccup_of_the_store"] = checkout.end_of(job_id)
        with checkout.workers(1) as supervisor:
            before = checkout.lasting_bytes()
            job_id = checkout.submit(SAMPLE)
            checkout.end_of(job_id)
            shards = checkout.status(job_id)["shards_total"]
            within(15, lambda: checkout.lasting_bytes() <= before)
            found["lasting_redis_bytes_a_shard"] = max(0, round((checkout.lasting_bytes() - before) / shards))
            ended_before = checkout.ended_workers()
            checkout.client.config_set("maxmemory", 1)
            ended = [checkout.run(*command) for command in (["submit", str(SAMPLE)], ["list"], ["doctor"])]
            time.sleep(FULL_SECONDS)
            checkout.client.config_set("maxmemory", 0)
            found["full_redis_exit_codes_of_submit_list_doctor"] = [one.returncode for one in ended]
            found["full_redis_tracebacks"] = sum("Traceback" in one.stdout + one.stderr for one in ended)
            found["full_redis_told_by"] = sum(" full" in one.stdout + one.stderr for one in ended)
            found["full_redis_workers_that_ended"] = checkout.ended_workers() - ended_before
            job_id = checkout.submit(checkout.source)
            computing = [child for worker in supervisor.children() for child in worker.children()]
            max(computing, key=lambda child: child.memory_info().rss).suspend()
            done = checkout.status(job_id)["shards_done"]
            found["seconds_until_a_stopped_child_is_replaced"] = within(
                PATIENCE_SECONDS, lambda: checkout.status(job_id)["shards_done"] > done + 1
            )
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    before, after = (measure(tree.resolve()) for tree in (options.before, options.after))
    write_result(
        options.output / "operations_before_after",
        {"machine": fingerprint(), "load_after": os.getloadavg(), "workers": WORKERS}
        | {"hiccup_seconds": HICCUP_SECONDS, "patience_seconds": PATIENCE_SECONDS, "before": before, "after": after},
        rows=[(name.replace("_", " "), str(before[name]), str(after[name])) for name in before],
        header=("", "before", "after"),
    )


if __name__ == "__main__":
    main()

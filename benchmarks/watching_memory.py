"""Measures the memory of the programs that watch a big deployment: Flower, `virnucpro exporter` and `virnucpro top`.

They run against a store of many open jobs, and Flower gets the events of as many tasks as those jobs have shards:
received, started, succeeded, as workers send them. `megabytes` is the resident memory of each program after so many
tasks.

python benchmarks/watching_memory.py [--jobs 1000] [--shards 200] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from celery import Celery
from fingerprint import fingerprint, write_result
from monitoring import make_jobs

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.socket_folder import free_port

COMMAND = [sys.executable, "-m", "virnucpro_tasks.cli.main"]
WORKERS = 40
EVENTS = 3
"""Of each task."""

AHEAD = 2_000
"""Tasks that Flower may be behind: Redis disconnects who does not read."""


@contextmanager
def running(arguments: Sequence[str], environment: dict[str, str], output: int) -> Iterator[psutil.Process]:
    process = subprocess.Popen([*COMMAND, *arguments], env=environment, stdout=output, stderr=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def screen() -> Iterator[int]:
    """A terminal that takes whatever is written to it."""
    reading, writing = pty.openpty()
    thread = threading.Thread(target=lambda: all(iter(lambda: os.read(reading, 1 << 16), b"")), daemon=True)
    thread.start()
    yield writing


def events_seen(url: str) -> int:
    """How many events of tasks Flower has counted; -1 while it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
    except (urllib.error.URLError, OSError):
        return -1
    found = (re.match(r'flower_events_total\{.*type="task-.* ([\d.e+]+)$', line) for line in lines)
    return int(sum(float(match[1]) for match in found if match))


def send_task(dispatcher: Any, job_id: str, shard: int) -> None:
    """The events of a shard's task."""
    task, worker = str(uuid4()), f"embed-gpu{shard % WORKERS}@host"
    dispatcher.hostname = worker
    shown = {"name": "virnucpro.embed_shard", "args": f"shard={shard} owner=alice job={job_id}", "kwargs": "{}"}
    for kind, fields in (
        ("task-received", shown | {"retries": 0, "eta": None, "expires": None}),
        ("task-started", {}),
        ("task-succeeded", {"result": "{'shard': 17, 'state': 'embedded'}", "runtime": 12.5}),
    ):
        dispatcher.send(kind, uuid=task, **fields)


def measure(app: Celery, url: str, programs: dict[str, psutil.Process], ids: Sequence[str], shards: int) -> list[Any]:
    """Rows of figures: after how many tasks, and the memory of each program."""

    def row(sent: int) -> dict[str, int]:
        return {"tasks": sent} | {name: round(one.memory_info().rss / 1e6) for name, one in programs.items()}

    sent, total = 0, len(ids) * shards
    with app.connection_for_write() as connection, app.events.Dispatcher(connection, buffer_group={"task"}) as out:
        while events_seen(url) < EVENTS:
            # What is sent before it listens is lost.
            send_task(out, ids[0], 0)
            out.flush()
            time.sleep(1)
        time.sleep(5)
        rows, before = [row(0)], events_seen(url)
        for job_id in ids:
            for shard in range(shards):
                send_task(out, job_id, shard)
                sent += 1
                if sent % AHEAD == 0 or sent % (total // 10) == 0:
                    out.flush()
                    while events_seen(url) < before + EVENTS * sent:
                        time.sleep(0.2)
                if sent % (total // 10) == 0:
                    rows.append(row(sent))
                    print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--shards", type=int, default=200, help="of each job")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = replace(Settings(store=folder / "store", bundle="demo"), broker_url=broker.url)
        jobs = make_jobs(settings, folder, jobs=options.jobs, shards=options.shards)
        environment = os.environ | {
            "VIRNUCPRO_STORE": str(settings.store),
            "VIRNUCPRO_BROKER_URL": broker.url,
            "FLOWER_BASIC_AUTH": "operator:made-up",
            "TERM": "xterm",
        }
        terminal = stack.enter_context(screen())
        ports = [free_port() for _ in range(2)]
        programs = {
            name: stack.enter_context(running(arguments, environment, output))
            for name, arguments, output in (
                ("flower", ["flower", "--port", str(ports[0])], subprocess.DEVNULL),
                ("exporter", ["exporter", "--port", str(ports[1])], subprocess.DEVNULL),
                ("top", ["top"], terminal),
            )
        }
        ids = [job.job_id for job in jobs]
        rows = measure(make_app(settings), f"http://127.0.0.1:{ports[0]}", programs, ids, options.shards)
    write_result(
        options.output / "watching_memory",
        {"machine": fingerprint(), "jobs": options.jobs, "shards": options.shards, "megabytes": rows},
        rows=[[f"{value:,}" for value in row.values()] for row in rows],
        header=["tasks", "Flower, MB", "exporter, MB", "top, MB"],
    )


if __name__ == "__main__":
    main()

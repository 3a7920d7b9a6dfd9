"""Workers that compute nothing: real processes, queues and chords, without splitting, embedding and finishing.

    python benchmarks/noop_workers.py ROLE NAME

ROLE is embed, coordinate or coordinate-small. What a job does is in its folder, written by `new_job`: how many shards
it has and how long each takes. An embedding worker notes each shard in its log, so that the queue alone is measured.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from inspect import signature
from pathlib import Path
from typing import Any

import virnucpro_workers.process as process_module

import virnucpro_tasks.queue.tasks as tasks
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.pipeline.embed_shard import ShardWorker
from virnucpro_tasks.pipeline.shard_state import ShardState
from virnucpro_tasks.queue.app import VirnucproApp
from virnucpro_tasks.settings import Settings

GIANT_BYTES = 20_000_000
"""Size of the input of a job that is to count as a giant one; a sparse file that nobody reads."""


def new_job(settings: Settings, *, shards: int, seconds: float, owner: str, priority: int = 6) -> Job:
    """A job of `shards` shards that take `seconds` each."""
    source = settings.store / f"input-{shards}"
    settings.store.mkdir(parents=True, exist_ok=True)
    with source.open("wb") as handle:
        handle.write(b">a\nACGT\n")
        handle.truncate(GIANT_BYTES if shards > 100 else 8)
    job = submit(
        Settings(store=settings.store, bundle=settings.bundle, owner=owner),
        [source],
        chunk_length=None,
        min_length=None,
        strict=False,
        keep_embeddings=False,
        priority=priority,
    )
    (job.paths.root / "noop.json").write_text(json.dumps({"shards": shards, "seconds": seconds}))
    return job


def _what(job: Job) -> dict[str, Any]:
    return json.loads((job.paths.root / "noop.json").read_bytes())


def _split(job: Job) -> Iterator[int]:
    (job.paths.root / "split-started").touch()
    yield from range(_what(job)["shards"])
    (job.paths.root / "split-done").touch()


class _NoopWorker(ShardWorker):
    """Notes each shard as done after the time it takes."""

    def embed(self, job: Job, number: int, *, message: str = "") -> ShardState:
        if seconds := _what(job)["seconds"]:
            time.sleep(seconds)
        with (job.paths.root / f"done-{os.getpid()}.log").open("a") as log:
            log.write(f"{time.time()}\n")
        return ShardState.EMBEDDED


def _load(app: VirnucproApp, device: str) -> None:
    app.shard_worker = _NoopWorker(app.settings, device=device)


def _repair(job: Job, *, processes: int) -> list[int]:
    return []


def _finish(job: Job, *, processes: int) -> None:
    (job.paths.root / "finish-started").touch()


def done_times(job: Job) -> list[float]:
    """When each shard of the job was done, in seconds since the epoch, in order."""
    logs = job.paths.root.glob("done-*.log")
    return sorted(float(line) for log in logs for line in log.read_text().splitlines())


def finish_started(job: Job) -> Path:
    """Appears when the callback has begun."""
    return job.paths.root / "finish-started"


@contextmanager
def noop_workers(settings: Settings, roles: list[str]) -> Iterator[None]:
    """Run one process a role; `embed` may repeat."""
    environment = os.environ | settings.environment()
    started = []
    try:
        with (settings.store / "noop.log").open("ab") as log:
            for number, role in enumerate(roles):
                command = [sys.executable, __file__, role, str(number)]
                started.append(
                    subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
                )
        yield
    finally:
        for process in started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main() -> None:
    role, name = sys.argv[1:]
    for function, replacement in (("split_files", _split), ("repair", _repair), ("finish", _finish)):
        assert signature(replacement).parameters.keys() == signature(getattr(tasks, function)).parameters.keys()
        setattr(tasks, function, replacement)
    process_module.load_models = _load
    sys.exit(process_module.main(["--role", role, "--device", name, "--host", "bench"]))


if __name__ == "__main__":
    main()

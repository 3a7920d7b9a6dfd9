"""Workers that compute nothing: real processes, queues and chords, without splitting, embedding and finishing.

    python benchmarks/noop_workers.py ROLE NAME
    python benchmarks/noop_workers.py fleet

ROLE is embed, coordinate or coordinate-small. A fleet reads lines `ROLE NAME` and starts a process for each, forked
from itself, so that a hundred take no longer to start than a few; it answers with the process id.

What a job does is in its folder, written by `new_job`: how many shards it has and how long each takes. An embedding
worker notes each shard there, so that the queue alone is measured. How a failing store is met is the package's own
code.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple, Self

import virnucpro_workers.process as process_module

import virnucpro_tasks.pipeline.embed_shard as embed_module
import virnucpro_tasks.queue.tasks as tasks
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.paths import FINISHING, SPLITTING
from virnucpro_tasks.pipeline.embed_shard import ShardWorker
from virnucpro_tasks.pipeline.shard_state import ShardState
from virnucpro_tasks.queue.app import VirnucproApp
from virnucpro_tasks.recovery.stage import failing_job
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.processes import die_with_parent

GIANT_BYTES = 20_000_000
"""Size of the input of a job that is to count as a giant one; a sparse file that nobody reads."""


def new_job(
    settings: Settings, *, shards: int, seconds: float, owner: str, priority: int = 6, split_first: bool = False
) -> Job:
    """A job of `shards` shards that take `seconds` each, and with `split_first` wait until all are queued."""
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
    (job.paths.root / "noop.json").write_text(
        json.dumps({"shards": shards, "seconds": seconds, "split_first": split_first})
    )
    return job


def _what(job: Job) -> dict[str, Any]:
    return json.loads((job.paths.root / "noop.json").read_bytes())


def _split(job: Job) -> Iterator[int]:
    with failing_job(job, SPLITTING):
        (job.paths.root / "split-started").touch()
        yield from range(_what(job)["shards"])
        split_done(job).touch()


class _NoopWorker(ShardWorker):
    """Notes each shard as done after the time it takes."""

    def _embed(self, shard: Any, message: str, tell_share: Any) -> ShardState:
        job, number = shard
        what = _what(job)
        while what["split_first"] and not split_done(job).exists():
            time.sleep(0.05)
        began = time.time()
        if what["seconds"]:
            time.sleep(what["seconds"])
        with (job.paths.root / f"done-{os.getpid()}.log").open("a") as log:
            log.write(f"{number} {os.getppid()} {began} {time.time()}\n")
        return ShardState.EMBEDDED


def _load(app: VirnucproApp, device: str, life: Any, *, node: str = "") -> None:
    app.shard_worker = _NoopWorker(app.settings, device=device, computing=life.computing)


def _repair(job: Job, *, processes: int) -> list[int]:
    return []


def _finish(job: Job, *, processes: int) -> None:
    with failing_job(job, FINISHING):
        (job.paths.root / "finish-started").touch()
        # So that nobody takes the job for a lost one.
        job.paths.run.write_text("{}")


class DoneShard(NamedTuple):
    """A shard, the process id of its worker, and when it began and ended, in seconds since the epoch."""

    number: int
    worker: int
    began: float
    ended: float


def done_shards(job: Job) -> list[DoneShard]:
    """What each worker has noted, in the order of the ends; a shard that was done twice is there twice."""
    lines = [line.split() for log in job.paths.root.glob("done-*.log") for line in log.read_text().splitlines()]
    done = [DoneShard(int(number), int(worker), float(began), float(ended)) for number, worker, began, ended in lines]
    return sorted(done, key=lambda shard: shard.ended)


def done_times(job: Job) -> list[float]:
    """When each shard of the job was done, in seconds since the epoch, in order."""
    return [shard.ended for shard in done_shards(job)]


def split_done(job: Job) -> Path:
    """Appears when all shards are queued."""
    return job.paths.root / "split-done"


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
                    subprocess.Popen(
                        command,
                        env=environment,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        preexec_fn=die_with_parent(),
                    )
                )
        yield
    finally:
        for process in started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Fleet:
    """Context manager of workers that join and leave: `start` and `end` them by their process id.

    Its log is noop.log in the store.
    """

    def __init__(self, settings: Settings, *, environment: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._environment = dict(environment or {})
        self._count = 0
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with (self._settings.store / "noop.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__, "fleet"],
                env=os.environ | self._settings.environment() | self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process is not None
        # All of them: workers are in the process group of the fleet.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def start(self, role: str) -> int:
        """Start a worker; returns its process id."""
        assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
        self._count += 1
        self._process.stdin.write(f"{role} {self._count}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    @property
    def pid(self) -> int:
        """The process that forks the workers."""
        assert self._process is not None
        return self._process.pid

    def ready(self) -> int:
        """How many workers have said that they take messages."""
        return (self._settings.store / "noop.log").read_text(errors="replace").count(" ready.")

    @staticmethod
    def end(pid: int, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to a worker."""
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _run(role: str, name: str) -> int:
    return process_module.main(["--role", role, "--device", name, "--host", "bench"])


def _run_fleet() -> None:
    answers, log = os.dup(1), os.dup(2)
    os.dup2(log, 1)
    # Children end as zombies otherwise.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        role, name = line.split()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(answers)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            die_with_parent(parent)()
            os._exit(_run(role, name))
        os.write(answers, f"{pid}\n".encode())


def main() -> None:
    for function, replacement in (("split_files", _split), ("repair", _repair), ("finish", _finish)):
        assert signature(replacement).parameters.keys() == signature(getattr(tasks, function)).parameters.keys()
        setattr(tasks, function, replacement)
    assert signature(_load).parameters.keys() == signature(process_module.load_models).parameters.keys()
    process_module.load_models = _load
    embed_module.OpenShard.read = staticmethod(lambda job, number: (job, number))
    if sys.argv[1:] == ["fleet"]:
        _run_fleet()
    else:
        role, name = sys.argv[1:]
        sys.exit(_run(role, name))


if __name__ == "__main__":
    main()

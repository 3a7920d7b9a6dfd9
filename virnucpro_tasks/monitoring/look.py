"""A deployment at one moment: its jobs, workers, Redis and store, as `observer` finds them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from statistics import median_high

from virnucpro_tasks.errors import printable
from virnucpro_tasks.jobs.listing import JobIdentity
from virnucpro_tasks.jobs.progress import JobState, Progress, Wait
from virnucpro_tasks.jobs.rate import Rate
from virnucpro_tasks.queue.client import RunningTask, WorkerInfo
from virnucpro_tasks.queue.process_facts import ProcessFacts
from virnucpro_tasks.queue.redis_memory import RedisMemory
from virnucpro_tasks.queue.waiting import QUIET_SECONDS, serves_coordination
from virnucpro_tasks.queue.work_counts import WorkCounts
from virnucpro_tasks.queue.worker_troubles import Trouble

SLOW_SHARE = 0.5
"""A worker is slow if it embeds less than this part of the median of workers with the same device and bundle."""

LEAST_TASKS = 3
"""Tasks at shards after which the speed of a worker is compared."""

NAME_CHARACTERS = 24
"""A longer name takes the room of other columns."""


def called(identity: JobIdentity, short_id: str) -> str:
    """The first name of a job that is not too long, or the beginning of its id."""
    return next((name for name in identity.names if len(name) <= NAME_CHARACTERS), short_id)


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that has failed, `seconds` ago; `called` is its name or the beginning of its id."""

    called: str
    owner: str
    seconds: float


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job that is not over.

    `short_id` is the beginning of its id by which commands know it. `queue` is the one of its bundle,
    `coordinator_queue` that of its splitting and finishing, `waiting` the number of its shards in Redis that no worker
    has taken, None if Redis is away. `running` are the tasks of it that workers are at, each with the name of its
    worker. `idle_seconds` is the time since its folder last showed progress, `age_seconds` the time since it was
    submitted.
    """

    progress: Progress
    identity: JobIdentity
    short_id: str
    queue: str
    coordinator_queue: str
    priority: int
    age_seconds: float
    idle_seconds: float
    waiting: int | None = None
    running: tuple[tuple[str, RunningTask], ...] = ()
    rate: Rate | None = None
    wait: Wait | None = None

    @property
    def job_id(self) -> str:
        return self.progress.job_id

    @property
    def called(self) -> str:
        """The first name of the job that is not too long, or the beginning of its id."""
        return called(self.identity, self.short_id)

    @property
    def shards_running(self) -> int:
        """Shards that a worker is at."""
        return sum(task.shard is not None for _, task in self.running)

    @property
    def longest(self) -> tuple[str, RunningTask] | None:
        """The task that has run for longest, with the name of its worker; None if none runs."""
        return max(self.running, key=lambda at: at[1].seconds or 0.0, default=None)

    @property
    def oldest_seconds(self) -> float | None:
        """The time that this task has taken; None if its worker does not say it."""
        return None if self.longest is None else self.longest[1].seconds

    @property
    def tokens_left(self) -> int | None:
        """ESM-2 tokens that are still to be embedded; None before all are counted."""
        if self.progress.tokens_total is None or self.progress.tokens_done is None:
            return None
        return self.progress.tokens_total - self.progress.tokens_done


@dataclass(frozen=True, slots=True)
class SeenWorker:
    """A worker that has answered, or has left traces in Redis: `info` is None for one that does not answer now."""

    name: str
    info: WorkerInfo | None = None
    facts: ProcessFacts = field(default_factory=ProcessFacts)
    counts: WorkCounts = field(default_factory=WorkCounts)
    trouble: Trouble | None = None

    @property
    def tokens_per_second(self) -> float | None:
        """ESM-2 tokens that it embeds in a second of work, over all that is counted; None before its first shard."""
        return self.counts.tokens / self.counts.seconds if self.counts.tokens and self.counts.seconds else None

    @property
    def is_coordinator(self) -> bool:
        """Whether it splits and finishes jobs; unknown for a worker that does not answer."""
        return self.info is not None and serves_coordination(self.info)

    @property
    def task_seconds(self) -> float:
        """The age of the task that it is at; 0 if it is idle."""
        return max((task.seconds or 0.0 for task in self.info.running), default=0.0) if self.info else 0.0

    @property
    def quiet_seconds(self) -> float:
        """The time since the last sign of progress of what it is at; 0 if it is idle."""
        return max((task.quiet_seconds or 0.0 for task in self.info.running), default=0.0) if self.info else 0.0

    @property
    def is_stuck(self) -> bool:
        """Whether what it is at has shown no progress for QUIET_SECONDS."""
        return self.quiet_seconds >= QUIET_SECONDS


@dataclass(frozen=True, slots=True)
class StoreRoom:
    """Room of the file system of the store; inodes are 0 of 0 where they are not counted."""

    free_bytes: int
    total_bytes: int
    free_inodes: int
    total_inodes: int


@dataclass(frozen=True, slots=True)
class Look:
    """A deployment at the time `at`, in seconds since the epoch; making this took `seconds`.

    `jobs` are all jobs of the store that can be read, by state, `unreadable` the number of the others. `redis_error`
    says why Redis does not answer, or with `redis_full` that it takes no question to workers, `store_error` why the
    store cannot be read. What they would tell is empty then; a full Redis tells its memory. `failed_jobs` are those of
    the last day, the newest first.
    """

    at: float
    seconds: float
    jobs: Mapping[JobState, int]
    unreadable: int
    open_jobs: tuple[OpenJob, ...]
    workers: tuple[SeenWorker, ...]
    store: StoreRoom | None
    redis: RedisMemory | None
    redis_error: str = ""
    redis_full: bool = False
    store_error: str = ""
    store_failures: int = 0
    failed_jobs: tuple[FailedJob, ...] = ()

    @property
    def slow_workers(self) -> Mapping[str, float]:
        """Workers that are slow, by name, each with the tokens that the median of its like embeds in a second.

        Of two workers alone, the median is the faster one.
        """
        speeds: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for worker in self.workers:
            if worker.info is not None and worker.tokens_per_second and worker.counts.tasks >= LEAST_TASKS:
                bundle = min(worker.info.queues, key=len, default="")
                speeds[worker.facts.device, bundle][worker.name] = worker.tokens_per_second
        return {
            name: median_high(like.values())
            for like in speeds.values()
            for name, speed in like.items()
            if speed < SLOW_SHARE * median_high(like.values())
        }

    def task_text(self, task: RunningTask) -> str:
        """A task by its shard or stage and the name of its job: `shard 5 of run_7`."""
        job = next((job.called for job in self.open_jobs if job.job_id == task.job_id), task.job_id)
        return printable(f"{task.stage if task.shard is None else f'shard {task.shard}'} of {job}")

    def at_text(self, worker: SeenWorker) -> str:
        """The task of a worker, or that it is idle, gone or dead."""
        if worker.info is None:
            return "died" if worker.trouble is not None else "gone"
        return ", ".join(map(self.task_text, worker.info.running)) or "idle"

    def workers_by_need(self) -> list[SeenWorker]:
        """Workers that are stuck or do not answer first, then busy and idle ones, of each kind the slowest first."""

        def need(worker: SeenWorker) -> tuple[int, float, str]:
            kind = 0 if worker.is_stuck or worker.info is None else 1 if worker.info.running else 2
            return kind, worker.tokens_per_second or inf, worker.name

        return sorted(self.workers, key=need)

"""Looks at a deployment: at the store, at Redis, and at what workers answer."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from celery import Celery
from redis.exceptions import RedisError

from virnucpro_tasks.errors import BrokerError, FullBrokerError, VirnucproError, printable
from virnucpro_tasks.jobs.find import require_store
from virnucpro_tasks.jobs.progress import Progress, job_progress
from virnucpro_tasks.jobs.rate import Rate, RateMeter
from virnucpro_tasks.keys import STORE, gpu_queue, priority_lists
from virnucpro_tasks.monitoring.look import FailedJob, Look, OpenJob, SeenWorker, StoreRoom, called
from virnucpro_tasks.monitoring.past_rate import past_rate
from virnucpro_tasks.monitoring.stored_jobs import JobReader, StoredJob, StoredJobs
from virnucpro_tasks.queue.client import (
    PING_SECONDS,
    RunningTask,
    WorkerInfo,
    all_with_store_failures,
    not_behind,
    workers,
)
from virnucpro_tasks.queue.process_facts import ProcessFacts, process_facts
from virnucpro_tasks.queue.redis_checks import is_full, serves
from virnucpro_tasks.queue.redis_memory import RedisMemory, memory_of, read_info
from virnucpro_tasks.queue.shard_shares import shares_of
from virnucpro_tasks.queue.store_failures import all_store_failures
from virnucpro_tasks.queue.waiting import wait_of
from virnucpro_tasks.queue.work_counts import WorkCounts, all_work_counts
from virnucpro_tasks.queue.worker_troubles import Trouble, last_troubles
from virnucpro_tasks.settings import Settings

MOVING_SECONDS = 600.0
"""The files of a job that has not changed for so long are not searched for its speed."""

FAILED_SECONDS = 86_400.0
"""A job that failed earlier is no news."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of Redis and the workers at one moment; empty, with the reason in `error`, if Redis is away.

    If it is full it tells its memory, but takes no question to the workers.
    """

    error: str = ""
    is_full: bool = False
    memory: RedisMemory | None = None
    workers: tuple[WorkerInfo, ...] = ()
    facts: Mapping[str, ProcessFacts] = field(default_factory=dict)
    counts: Mapping[str, WorkCounts] = field(default_factory=dict)
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    store_failures: int = 0

    @property
    def running(self) -> dict[str, list[tuple[str, RunningTask]]]:
        """The tasks that workers are at, by job, each with the name of its worker."""
        found = defaultdict(list)
        for worker in self.workers:
            for task in worker.running:
                found[task.job_id].append((worker.name, task))
        return found


class Observer:
    """Looks at a deployment again and again; remembers what rates are measured from."""

    def __init__(
        self, app: Celery, settings: Settings, *, clock: Callable[[], float] = time.monotonic, ask_facts: bool = True
    ) -> None:
        self._app = app
        self._settings = settings
        self._clock = clock
        self._ask_facts = ask_facts
        self._reader = JobReader(settings.store)
        self._meters: dict[str, RateMeter] = {}
        self._seen: dict[str, Progress] = {}
        self._past: dict[str, tuple[float, Rate | None]] = {}
        """The rate by the files of a job, which are not read again until they have changed."""

    def look(self, *, seconds: float = PING_SECONDS) -> Look:
        """Look once; workers have `seconds` for an answer. Neither Redis nor a store that is away is an error."""
        began = time.perf_counter()
        answers = self._answers(seconds)
        stored, store_error = self._stored(answers)
        open_jobs = self._with_redis(stored.open, answers)
        return Look(
            at=time.time(),
            seconds=time.perf_counter() - began,
            jobs=stored.by_state,
            unreadable=stored.unreadable,
            open_jobs=open_jobs,
            workers=self._seen_workers(answers),
            store=self._room(),
            redis=answers.memory,
            redis_error=answers.error,
            redis_full=answers.is_full,
            store_error=store_error,
            store_failures=answers.store_failures,
            failed_jobs=failed_lately(stored.failed),
        )

    def _answers(self, seconds: float) -> Answers:
        client = self._app.backend.client
        memory = None
        try:
            memory = memory_of(read_info(self._app))
            with ThreadPoolExecutor(2) as executor:
                facts = executor.submit(process_facts, self._app, seconds=seconds) if self._ask_facts else None
                found = workers(self._app, seconds=seconds)
                return Answers(
                    memory=memory,
                    workers=tuple(found),
                    facts={} if facts is None else facts.result(),
                    counts=all_work_counts(client),
                    troubles={trouble.node: trouble for trouble in last_troubles(client)},
                    store_failures=len(all_store_failures(client)),
                )
        except (BrokerError, RedisError, OSError) as error:
            text = printable(error.what if isinstance(error, VirnucproError) else str(error))
            if isinstance(error, FullBrokerError) or is_full(error):
                return Answers(error=text, is_full=True, memory=memory)
            return Answers(error=text)

    def _stored(self, answers: Answers) -> tuple[StoredJobs, str]:
        try:
            require_store(self._settings.store)
            if not (answers.error or self._asked(self._is_the_store, True)):
                return StoredJobs({}, 0, ()), "it is not mounted, or not the one that Redis serves"
            return self._reader.read(answers.running), ""
        except (VirnucproError, OSError) as error:
            return StoredJobs({}, 0, ()), printable(str(error))

    def _is_the_store(self) -> bool:
        """Whether it is the store that Redis serves, if it serves one; an empty mount point has no jobs either."""
        client = self._app.backend.client
        return not client.exists(STORE) or serves(client, self._settings.store)

    def _with_redis(self, stored: Sequence[StoredJob], answers: Answers) -> tuple[OpenJob, ...]:
        """The jobs that are not over, with what Redis knows of them; those that it knows as failed are left out."""
        nothing: dict[str, int] = {}
        waiting = nothing
        # Each question to a Redis that hangs takes until its time is over.
        if answers.is_full or not answers.error:
            waiting = self._asked(lambda: waiting_messages(self._app.backend.client, stored), nothing)
        snapshots = {one.job.job_id: self._snapshot(one, answers) for one in stored}
        if not answers.error:
            known = all_with_store_failures(self._app, list(snapshots.values()))
            snapshots = {progress.job_id: progress for progress in known}
        self._meters = {job_id: self._meters.get(job_id) or RateMeter(clock=self._clock) for job_id in snapshots}
        self._seen = snapshots
        self._past = {job_id: known for job_id, known in self._past.items() if job_id in snapshots}
        running, now = answers.running, time.time()
        return tuple(
            OpenJob(
                progress=progress,
                identity=one.identity,
                short_id=one.short_id,
                queue=gpu_queue(one.job.spec.bundle_digest, one.job.spec.build),
                coordinator_queue=one.job.coordinator_queue,
                priority=one.job.spec.parameters.priority,
                age_seconds=_seconds_since(progress.created_at),
                idle_seconds=max(0.0, now - one.changed_at),
                waiting=waiting.get(progress.job_id),
                running=tuple(running.get(progress.job_id, ())),
                rate=self._rate(one, progress),
                wait=None if answers.error else wait_of(one.job, progress, answers.workers),
            )
            for one, progress in zip(stored, snapshots.values(), strict=True)
            if not progress.is_final
        )

    def _rate(self, one: StoredJob, progress: Progress) -> Rate | None:
        """The rate by the looks so far; before they are enough, by the files of a job that has moved lately."""
        rate = self._meters[one.job.job_id].measure(progress)
        if rate is not None or time.time() - one.changed_at >= MOVING_SECONDS:
            return rate
        known = self._past.get(one.job.job_id)
        if known is None or known[0] != one.changed_at:
            known = self._past[one.job.job_id] = one.changed_at, past_rate(one.job, progress)
        return known[1]

    def _snapshot(self, one: StoredJob, answers: Answers) -> Progress:
        progress = one.progress
        if one.job.job_id in answers.running:
            nothing: dict[int, float] = {}
            shares = self._asked(lambda: shares_of(self._app.backend.client, one.job.job_id), nothing)
            try:
                progress = job_progress(one.job, shares=shares)
            except VirnucproError:
                progress = one.progress
        return not_behind(progress, self._seen.get(one.job.job_id))

    def _seen_workers(self, answers: Answers) -> tuple[SeenWorker, ...]:
        infos = {worker.name: worker for worker in answers.workers}
        names = sorted({*infos, *answers.counts, *answers.troubles})
        return tuple(
            SeenWorker(
                name,
                infos.get(name),
                answers.facts.get(name, ProcessFacts()),
                answers.counts.get(name, WorkCounts()),
                answers.troubles.get(name),
            )
            for name in names
        )

    def _asked(self, question: Callable[[], T], otherwise: T) -> T:
        try:
            return question()
        except (RedisError, OSError):
            return otherwise

    def _room(self) -> StoreRoom | None:
        try:
            found = os.statvfs(self._settings.store)
        except OSError:
            return None
        size = found.f_frsize
        return StoreRoom(found.f_bavail * size, found.f_blocks * size, found.f_favail, found.f_files)


def failed_lately(failed: Iterable[StoredJob]) -> tuple[FailedJob, ...]:
    """The jobs that failed within FAILED_SECONDS, the newest first."""
    now = time.time()
    lately = [
        FailedJob(called(one.identity, one.short_id), one.identity.owner, max(0.0, now - one.changed_at))
        for one in failed
        if now - one.changed_at <= FAILED_SECONDS
    ]
    return tuple(sorted(lately, key=lambda job: job.seconds))


def waiting_messages(client: Any, stored: Iterable[StoredJob]) -> dict[str, int]:
    """Return how many shards of each job wait in its queue. Raises redis.RedisError."""
    jobs = [one.job for one in stored]
    if not jobs:
        return {}
    suffixes = priority_lists("")
    with client.pipeline(transaction=False) as pipeline:
        for job in jobs:
            for suffix in suffixes:
                pipeline.llen(job.queue + suffix)
        lengths = pipeline.execute()
    step = len(suffixes)
    return {job.job_id: sum(lengths[place * step : (place + 1) * step]) for place, job in enumerate(jobs)}


def _seconds_since(moment: str) -> float:
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())

"""Finds jobs whose messages Redis has lost, and queues their next stage, although no client waits for them.

A job that is neither finished nor stopped always has a message in Redis: one that waits, or one that a worker holds. If
two polls in a row find none, the messages were lost: Redis was emptied, a worker died between taking a message and
recording that, or the callback of a chord was never called. `virnucpro resume` does the same by hand.

Each build has a finder of its own, for its jobs and those of versions up to 0.7.0. Those have one for all jobs of the
store, which marks jobs as failed that it cannot read: it is held off by their key in Redis, where it finds another.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps

from virnucpro_tasks.build import own_build
from virnucpro_tasks.errors import OtherBuildError, VirnucproError
from virnucpro_tasks.jobs.job import Job, is_stopped, open_for_work, open_job
from virnucpro_tasks.keys import watch_key
from virnucpro_tasks.paths import JobPaths, is_job_id
from virnucpro_tasks.queue.chords import jobs_with_chords, retire_chords
from virnucpro_tasks.queue.client import hold_off_older, requeue_if_lost
from virnucpro_tasks.queue.messages import jobs_with_messages
from virnucpro_tasks.queue.redis_checks import rebind_store
from virnucpro_tasks.queue.store_failures import all_store_failures, clear_store_failures, ended_jobs
from virnucpro_tasks.system.file_operations import exists

log = logging.getLogger(__name__)

POLLS_UNTIL_LOST = 2
"""A client makes the folder of a job some moments before it sends the first message."""

JOBS_LOST = "lost jobs cannot be looked for: %s: %s"

POLLS_UNTIL_TOLD = 2
"""Failures in a row after which one is told; an outage of Redis is told before by the thread that renews leases."""

TERM_POLLS = 3
"""A watchdog that has been silent for so many polls is replaced by another one."""

NO_BUILD = ""
"""The build of jobs of versions up to 0.7.0."""

_ELECT = """
local watcher = redis.call('GET', KEYS[1])
if watcher and watcher ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""


class Watchdog(bootsteps.StartStopStep):
    """Runs `watch` in a thread of a coordinator, unless the setting `watch_seconds` is 0.

    It is a thread because a store that hangs must not keep the consumer from its messages.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stopping: threading.Event | None = None

    def start(self, parent: Any) -> None:
        if not parent.app.settings.watch_seconds:
            return
        self._stopping = threading.Event()
        threading.Thread(target=watch, args=(parent.app, self._stopping), name="watchdog", daemon=True).start()

    def stop(self, parent: Any) -> None:
        if self._stopping is not None:
            self._stopping.set()

    terminate = stop


def watch(app: Any, stopping: threading.Event) -> None:
    """Poll for lost jobs every `watch_seconds` until `stopping` is set; survives outages of Redis and of the store.

    Only one coordinator of all polls at a time.
    """
    every_seconds = app.settings.watch_seconds
    name = f"{socket.gethostname()} {os.getpid()}"
    finder = LostJobFinder(app.settings.store)
    failures = 0
    while not stopping.wait(every_seconds):
        try:
            with app.connection_for_read() as connection:
                client = connection.default_channel.client
                # To a store that is away all jobs would seem to be over.
                is_served = rebind_store(client, app.settings.store)
                if is_served and is_watcher(client, name, every_seconds=every_seconds):
                    finder.poll(app, client)
            failures = 0
        except Exception as error:
            # Redis, the network or the store may raise anything: the next poll starts afresh.
            failures += 1
            if failures == POLLS_UNTIL_TOLD:
                log.warning(JOBS_LOST, type(error).__name__, error)


def is_watcher(client: Any, name: str, *, every_seconds: float) -> bool:
    """Return whether the process `name` is the elected watchdog of its build, and extend its term.

    Raises redis.RedisError.
    """
    hold_off_older(client)
    return bool(client.eval(_ELECT, 1, watch_key(own_build()), name, round(TERM_POLLS * every_seconds * 1000)))


class LostJobFinder:
    """Finds lost jobs, and what jobs that are over have left in Redis.

    It remembers which jobs of a store are finished, and how often in a row each other one had no message.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._finished: set[str] = set()
        self._missed: dict[str, int] = {}

    def poll(self, app: Celery, client: Any) -> list[str]:
        """Queue the next stage of each lost job; returns their ids. Lists the store once, stats only live jobs.

        Raises redis.RedisError or OSError.
        """
        with_messages = jobs_with_messages(client, [own_build(), NO_BUILD])
        there = set(_job_ids(self._store))
        self._finished = {job_id for job_id in there if job_id in self._finished or exists(self._paths(job_id).run)}
        missed = {
            job_id: self._missed.get(job_id, 0) + 1
            for job_id in there - self._finished - with_messages - ended_jobs(client)
            if not is_stopped(self._paths(job_id)) and not self._is_of_other_build(job_id)
        }
        lost = sorted(job_id for job_id, times in missed.items() if times >= POLLS_UNTIL_LOST)
        self._missed = {job_id: times for job_id, times in missed.items() if job_id not in lost}
        self._retire(app, client)
        return [job_id for job_id in lost if self._requeue(app, job_id)]

    def _retire(self, app: Celery, client: Any) -> None:
        """Remove from Redis what jobs that are over, or were removed, have left there."""
        for job_id in jobs_with_chords(client):
            if is_stopped(self._paths(job_id)):
                retire_chords(app, job_id)
        for job_id, failure in all_store_failures(client).items():
            if not failure.ended and is_stopped(self._paths(job_id)):
                clear_store_failures(client, job_id)

    def _paths(self, job_id: str) -> JobPaths:
        return JobPaths.of(self._store, job_id)

    def _is_of_other_build(self, job_id: str) -> bool:
        """Whether the finder of another build looks after a job. Read each time: a job may begin anew with another."""
        try:
            return open_job(self._store, job_id).spec.build not in (own_build(), NO_BUILD)
        except OtherBuildError:
            return True
        except VirnucproError:
            return False

    def _requeue(self, app: Celery, job_id: str) -> bool:
        try:
            requeued = requeue_if_lost(app, self._open(job_id))
        except VirnucproError as error:
            log.warning("%s", error)
            return False
        if requeued:
            log.warning("job=%s has no message in Redis: it is queued again", job_id)
        return requeued

    def _open(self, job_id: str) -> Job:
        try:
            return open_for_work(self._store, job_id)
        except OtherBuildError:
            # Of a version up to 0.7.0, to whose workers it is queued.
            return open_job(self._store, job_id)


def _job_ids(store: Path) -> Iterator[str]:
    try:
        with os.scandir(store / "jobs") as entries:
            yield from (entry.name for entry in entries if is_job_id(entry.name))
    except FileNotFoundError:
        return

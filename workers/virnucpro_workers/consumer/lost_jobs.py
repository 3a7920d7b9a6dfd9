"""Jobs that Redis has lost are found and gone on with, although no client waits for them.

A job that is neither finished nor stopped has a message in Redis, always: its next step waits, or a worker is at it.
If it has none in two looks one after the other, the messages were lost: Redis was emptied, a worker died between taking
a message and saying so, or the callback of a chord was never called. Then the next step is queued, as `resume` does.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from celery import Celery

from virnucpro_tasks.errors import VirnucproError
from virnucpro_tasks.jobs.job import is_stopped, open_for_work
from virnucpro_tasks.keys import WATCH
from virnucpro_tasks.paths import JobPaths, is_job_id
from virnucpro_tasks.queue.client import requeue_if_lost
from virnucpro_tasks.queue.messages import jobs_with_messages
from virnucpro_tasks.queue.store_failures import ended_jobs

log = logging.getLogger(__name__)

POLLS_UNTIL_LOST = 2
"""A client that submits has made the job some moments before its first message."""

TERM_POLLS = 3
"""Who watches does so until nothing was heard of it for so many looks."""

_ELECT = """
local watcher = redis.call('GET', KEYS[1])
if watcher and watcher ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""


def is_watcher(client: Any, name: str, *, every_seconds: float) -> bool:
    """Whether `name` is the one of all processes that watches. Raises redis.RedisError."""
    return bool(client.eval(_ELECT, 1, WATCH, name, round(TERM_POLLS * every_seconds * 1000)))


class Watch:
    """The memory of one watcher: which jobs of a store are over, and which had no message at the last looks."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._finished: set[str] = set()
        self._missed: dict[str, int] = {}

    def look(self, app: Celery, client: Any) -> list[str]:
        """Queue the next step of the jobs that are lost; returns their ids. One listing, and a few looks a live job.

        Raises redis.RedisError or OSError.
        """
        named = jobs_with_messages(client)
        there = set(_job_ids(self._store))
        self._finished = {job_id for job_id in there if job_id in self._finished or self._paths(job_id).run.exists()}
        missed = {
            job_id: self._missed.get(job_id, 0) + 1
            for job_id in there - self._finished - named - ended_jobs(client)
            if not is_stopped(self._paths(job_id))
        }
        lost = sorted(job_id for job_id, times in missed.items() if times >= POLLS_UNTIL_LOST)
        self._missed = {job_id: times for job_id, times in missed.items() if job_id not in lost}
        return [job_id for job_id in lost if self._requeue(app, job_id)]

    def _paths(self, job_id: str) -> JobPaths:
        return JobPaths.of(self._store, job_id)

    def _requeue(self, app: Celery, job_id: str) -> bool:
        try:
            requeued = requeue_if_lost(app, open_for_work(self._store, job_id))
        except VirnucproError as error:
            log.warning("%s", error)
            return False
        if requeued:
            log.warning("job=%s has no message in Redis: it is queued again", job_id)
        return requeued


def _job_ids(store: Path) -> Iterator[str]:
    try:
        with os.scandir(store / "jobs") as entries:
            yield from (entry.name for entry in entries if is_job_id(entry.name))
    except FileNotFoundError:
        return

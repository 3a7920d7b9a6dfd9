"""Removes jobs that ended longer ago than the setting `retention_days`, from one coordinator of a deployment."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

from celery import bootsteps

from virnucpro_tasks.jobs.prune import Keep, Prunable, PruneRule, forget_submissions, prunable_jobs, prune
from virnucpro_tasks.keys import RETENTION
from virnucpro_tasks.queue.store_failures import clear_store_failures
from virnucpro_tasks.settings import Settings

log = logging.getLogger(__name__)

ROUND_SECONDS = 3_600.0
"""Time between two rounds, by the clock of Redis."""

POLL_SECONDS = 60.0
DAY_SECONDS = 86_400.0


class Retention(bootsteps.StartStopStep):
    """Runs `retain` in a thread of a coordinator if `retention_days` is set: deleting takes long, or a store hangs."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stopping: threading.Event | None = None

    def start(self, parent: Any) -> None:
        if parent.app.settings.retention_days is None:
            return
        self._stopping = threading.Event()
        threading.Thread(target=retain, args=(parent.app, self._stopping), name="retention", daemon=True).start()

    def stop(self, parent: Any) -> None:
        if self._stopping is not None:
            self._stopping.set()

    terminate = stop


def retain(app: Any, stopping: threading.Event, *, poll_seconds: float = POLL_SECONDS) -> None:
    """Remove what is too old once in ROUND_SECONDS until `stopping` is set; survives outages of Redis and the store."""
    failing = False
    while not stopping.wait(poll_seconds):
        try:
            with app.connection_for_read() as connection:
                client = connection.default_channel.client
                if is_due(client):
                    remove_old_jobs(client, app.settings, stopping)
            failing = False
        except Exception as error:
            # Redis, the network or the store may raise anything: the next poll starts afresh.
            if not failing:
                log.warning("old jobs cannot be removed: %s: %s", type(error).__name__, error)
            failing = True


def is_due(client: Any) -> bool:
    """Whether no coordinator has begun a round within ROUND_SECONDS; then this one does. Raises redis.RedisError."""
    return bool(client.set(RETENTION, socket.gethostname(), nx=True, px=round(ROUND_SECONDS * 1000)))


def remove_old_jobs(client: Any, settings: Settings, stopping: threading.Event) -> int:
    """One round over the jobs of all owners; returns how many were pruned. Raises OSError or redis.RedisError."""
    if settings.retention_days is None:
        return 0
    rule = PruneRule(settings.retention_days * DAY_SECONDS, keep=Keep(settings.retention_keep))
    pruned = 0
    for found in prunable_jobs(settings.store, rule):
        if stopping.is_set():
            return pruned
        left = prune(found, rule) if isinstance(found, Prunable) else found
        if left is not None:
            log.warning("job=%s is old and stays: %s", left.job_id, left.reason)
        elif isinstance(found, Prunable):
            clear_store_failures(client, found.job.job_id)
            log.info(
                "job=%s ended %.0f days ago: %s", found.job.job_id, found.age_seconds / DAY_SECONDS, KEPT[rule.keep]
            )
            pruned += 1
    forget_submissions(settings.store, older_than_seconds=rule.older_than_seconds)
    return pruned


KEPT = {Keep.NOTHING: "it is removed", Keep.RESULTS: "what its results do not need is removed"}

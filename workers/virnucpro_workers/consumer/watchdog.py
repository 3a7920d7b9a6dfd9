"""Watching over the jobs of the store, in a thread of a coordinator; of all coordinators one does it at a time."""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import Any

from celery import bootsteps

from virnucpro_tasks.queue.redis_checks import bind_store
from virnucpro_workers.consumer.lost_jobs import Watch, is_watcher

log = logging.getLogger(__name__)


class Watchdog(bootsteps.StartStopStep):
    """Looks every `watch_seconds` of the settings for jobs that Redis has lost; 0 is never.

    A thread: a store that hangs must not keep the consumer from its messages.
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
    """Watch until `stopping` is set; outlives outages of Redis and of the store."""
    every_seconds = app.settings.watch_seconds
    name = f"{socket.gethostname()} {os.getpid()}"
    memory = Watch(app.settings.store)
    failing = False
    while not stopping.wait(every_seconds):
        try:
            with app.connection_for_read() as connection:
                client = connection.default_channel.client
                # What Redis has lost can be this too.
                bind_store(client, app.settings.store)
                if is_watcher(client, name, every_seconds=every_seconds):
                    memory.look(app, client)
            failing = False
        except Exception as error:
            # Whatever Redis, the network or the store throw: the next look tries afresh.
            if not failing:
                log.warning("jobs cannot be watched over: %s: %s", type(error).__name__, error)
            failing = True

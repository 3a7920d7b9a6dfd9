"""A consumer step that looks for a hang of the computing process."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from celery import bootsteps

from virnucpro_workers.consumer.kombu_internals import is_stopping
from virnucpro_workers.consumer.request import CountedRequest
from virnucpro_workers.process_watch import ProcessWatch


class HangWatch(bootsteps.StartStopStep):
    """Runs a ProcessWatch in a thread of the parent process, which goes on while Redis is away."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    watch: ClassVar[ProcessWatch]
    """Set on a subclass, one per process."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stopping: threading.Event | None = None

    def start(self, parent: Any) -> None:
        if self._stopping is not None:
            return
        self._stopping = threading.Event()
        CountedRequest.watch = self.watch
        threading.Thread(target=self.watch.run, args=(self._stopping,), name="hang-watch", daemon=True).start()

    def stop(self, parent: Any) -> None:
        if is_stopping(parent):
            self.terminate(parent)

    def terminate(self, parent: Any) -> None:
        if self._stopping is not None:
            self._stopping.set()

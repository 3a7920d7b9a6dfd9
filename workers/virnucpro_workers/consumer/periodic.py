"""A consumer step that is repeated from Celery's event loop."""

from __future__ import annotations

from typing import Any, ClassVar

from celery import bootsteps


class PeriodicStep(bootsteps.StartStopStep):
    """Calls `poll` every `every_seconds` while the consumer is connected. A lost connection restarts the consumer."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    every_seconds: ClassVar[float]

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def poll(self, parent: Any) -> None:
        """Do the work of one round, with the consumer as `parent`."""
        raise NotImplementedError

    def start(self, parent: Any) -> None:
        self.poll(parent)
        self._timer = parent.timer.call_repeatedly(self.every_seconds, self.poll, (parent,))

    def stop(self, parent: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()

    terminate = stop

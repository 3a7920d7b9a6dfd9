"""Renews a worker's heartbeat file while its consumer polls for messages or holds one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from celery.worker import state

from virnucpro_tasks.errors import StoreError
from virnucpro_workers.consumer.kombu_internals import is_polling
from virnucpro_workers.consumer.periodic import PeriodicStep
from virnucpro_workers.consumer.room import patience
from virnucpro_workers.health import Phase, renew_heartbeat, write_heartbeat

HEARTBEAT_SECONDS = 5.0


class HeartbeatStep(PeriodicStep):
    """Renews the heartbeat from the consumer's event loop, so that a loop that hangs goes silent."""

    every_seconds = HEARTBEAT_SECONDS
    file: Path
    """Set on a subclass, one per process."""

    def start(self, parent: Any) -> None:
        self._write(Phase.CONSUMING)
        patience.on_wait = lambda: self._write(Phase.RECONNECTING)
        patience.on_room = lambda: self._write(Phase.CONSUMING)
        super().start(parent)

    def stop(self, parent: Any) -> None:
        super().stop(parent)
        self._write(Phase.RECONNECTING)

    terminate = stop

    def poll(self, parent: Any) -> None:
        # A worker that holds a task does not poll.
        if state.reserved_requests or is_polling(parent):
            try:
                renew_heartbeat(self.file)
            except OSError:
                self._write(Phase.CONSUMING)

    def _write(self, phase: Phase) -> None:
        # Whoever watches the file takes its absence for silence; the work goes on.
        with suppress(OSError, StoreError):
            write_heartbeat(self.file, phase)

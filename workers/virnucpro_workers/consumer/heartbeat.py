"""Renews a worker's heartbeat file while its consumer polls for messages or holds one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery.worker import state

from virnucpro_workers.consumer.kombu_internals import is_polling
from virnucpro_workers.consumer.periodic import PeriodicStep
from virnucpro_workers.health import Phase, renew_heartbeat, write_heartbeat

HEARTBEAT_SECONDS = 5.0


class HeartbeatStep(PeriodicStep):
    """Renews the heartbeat from the consumer's event loop, so that a loop that hangs goes silent."""

    every_seconds = HEARTBEAT_SECONDS
    file: Path
    """Set on a subclass, one per process."""

    def start(self, parent: Any) -> None:
        write_heartbeat(self.file, Phase.CONSUMING)
        super().start(parent)

    def stop(self, parent: Any) -> None:
        super().stop(parent)
        write_heartbeat(self.file, Phase.RECONNECTING)

    terminate = stop

    def poll(self, parent: Any) -> None:
        # A worker that holds a task does not poll.
        if state.reserved_requests or is_polling(parent):
            renew_heartbeat(self.file)

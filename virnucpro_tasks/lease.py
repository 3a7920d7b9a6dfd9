"""The lease of a running task: renewed while its worker lives, so that it can be short.

On Redis a taken message waits in `unacked`, scored in `unacked_index` by the time it was taken. Any worker
puts back those older than the visibility timeout. Without renewal a task longer than the timeout is run again
by somebody else; with a long timeout the task of a dead worker waits that long. `LeaseKeeper` renews, so the
timeout may be 30-60 s whatever the length of a task.

The scores are written with this host's clock: hosts need a common time to a fraction of the timeout.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from celery import bootsteps
from celery.worker import state

log = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 4
DEFAULT_VISIBILITY_SECONDS = 3600.0
"""kombu's own visibility timeout, in force when none is configured."""


class LeaseKeeper(bootsteps.StartStopStep):
    """Renews the leases of this worker's messages from a thread of the parent process.

    In the prefork pool the thread is immune to whatever holds the interpreter lock of the computing child.
    A task that hangs is renewed for ever: tasks need a time limit.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stopping: threading.Event | None = None

    def start(self, parent: Any) -> None:
        options = parent.app.conf.broker_transport_options
        timeout = options.get("visibility_timeout", DEFAULT_VISIBILITY_SECONDS)
        self._stopping = threading.Event()
        threading.Thread(
            target=keep_leases,
            args=(parent, self._stopping),
            kwargs={"every_seconds": timeout / RENEWALS_PER_LEASE},
            name="lease-keeper",
            daemon=True,
        ).start()

    def stop(self, parent: Any) -> None:
        if self._stopping is not None:
            self._stopping.set()

    terminate = stop


def keep_leases(consumer: Any, stopping: threading.Event, *, every_seconds: float) -> None:
    """Renew the leases of `consumer` every so often until `stopping` is set; outlives Redis outages."""
    connection = None
    failing = False
    while not stopping.wait(every_seconds):
        try:
            tags = held_tags(consumer)
            if not tags:
                continue
            if connection is None:
                connection = consumer.app.connection_for_read()
            channel = connection.default_channel
            renew(channel.client, channel.unacked_index_key, tags)
            if failing:
                log.warning("leases are renewed again")
            failing = False
        except Exception as error:
            # Whatever Redis or the network throw: the next round tries afresh on a new connection.
            if not failing:
                log.warning("leases cannot be renewed: %s: %s", type(error).__name__, error)
            failing = True
            if connection is not None:
                connection.collect(socket_timeout=1)
            connection = None
    if connection is not None:
        connection.collect(socket_timeout=1)


def held_tags(consumer: Any) -> set[str]:
    """Delivery tags of all messages this worker has taken and not acknowledged.

    A reconnect gives a new channel that knows none of the tasks still running, so theirs are added.
    """
    # kombu has no public name for the unacknowledged tags of a channel.
    delivered = set(consumer.task_consumer.channel.qos._delivered) if consumer.task_consumer else set()
    return delivered | {request.message.delivery_tag for request in list(state.active_requests)}


def renew(client: Any, index_key: str, tags: set[str]) -> None:
    """Give `tags` a fresh lease from now; those acknowledged meanwhile stay away (ZADD XX)."""
    now = time.time()
    client.zadd(index_key, dict.fromkeys(tags, now), xx=True)

"""How a worker learns of the queues of jobs, and a coordinator counts what waits in them. Steps of the consumer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from celery import bootsteps
from celery.worker import state

from virnucpro_tasks.keys import QUIET_LEASES
from virnucpro_tasks.queue.job_queues import announce, entity, live_queues, sweep
from virnucpro_workers.loading import LoadingState

FOLLOW_SECONDS = 0.25
"""How soon a worker learns of the queue of a new job, at most."""

WAITING_SECONDS = 0.25
"""How long a worker waits at the queues that it knows before it asks again, with those it has learned of meanwhile;
kombu's own second would be one in which a GPU has nothing to do."""

SWEEP_SECONDS = 5.0


class _Repeated(bootsteps.StartStopStep):
    """Calls `look` every `every_seconds` from the consumer's event loop; a lost connection restarts the consumer."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    every_seconds = FOLLOW_SECONDS
    look: Callable[[Any], None]
    """What a subclass does each time, given the consumer."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        self.look(parent)
        self._timer = parent.timer.call_repeatedly(self.every_seconds, self.look, (parent,))

    def stop(self, parent: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()

    terminate = stop


class FollowJobQueues(_Repeated):
    """Takes from the announced queues of jobs with this worker's bundle, and announces those it holds a shard of.

    Not while its child loads models: a shard would wait for that, and others are there.
    """

    bundle_queue: str
    loading: LoadingState
    """Both set on a subclass: the queue of the worker's bundle, and what its child says."""

    def start(self, parent: Any) -> None:
        parent.app.on_lost_child = lambda: self.pause(parent)
        super().start(parent)

    def pause(self, parent: Any) -> None:
        """Take nothing until a child has models again; called before the message of the last one goes back."""
        self.loading.begin()
        self._take(parent, set())

    def look(self, parent: Any) -> None:
        with parent.task_consumer.channel.conn_or_acquire() as client:
            announce(client, held_queues(self.bundle_queue))
            wanted = live_queues(client, self.bundle_queue)
        self._take(parent, wanted if self.loading.is_ready else set())

    def _take(self, parent: Any, wanted: set[str]) -> None:
        """Take from the queues `wanted` and no other one."""
        consumer = parent.task_consumer
        taken = {queue.name for queue in consumer.queues if queue.name != self.bundle_queue}
        for name in sorted(taken - wanted):
            consumer.cancel_by_queue(name)
        if new := sorted(wanted - taken):
            for name in new:
                consumer.add_queue(entity(name))
            consumer.consume()


def held_queues(bundle_queue: str) -> set[str]:
    """The queues of the jobs that this worker has taken a shard of and not finished it."""
    names = {request.delivery_info.get("routing_key") or "" for request in list(state.reserved_requests)}
    return {name for name in names if name.startswith(f"{bundle_queue}.")}


class CountWaiting(_Repeated):
    """Sets the gauges of waiting shards and forgets queues of jobs that are over."""

    every_seconds = SWEEP_SECONDS

    def start(self, parent: Any) -> None:
        self._started_at = time.monotonic()
        super().start(parent)

    def look(self, parent: Any) -> None:
        quiet_seconds = QUIET_LEASES * parent.app.settings.lease_seconds
        # Shards of workers that died while no consumer was there come back in the first lease; until then a queue
        # only looks empty.
        if time.monotonic() - self._started_at < quiet_seconds:
            quiet_seconds = float("inf")
        with parent.task_consumer.channel.conn_or_acquire() as client:
            sweep(client, quiet_seconds=quiet_seconds)

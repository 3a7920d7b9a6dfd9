"""Consumer steps for the queues of jobs: a GPU worker subscribes to them, a coordinator counts what waits in them."""

from __future__ import annotations

import time
from typing import Any

from celery.worker import state

from virnucpro_tasks.keys import QUIET_LEASES
from virnucpro_tasks.queue.job_queues import announce, entity, live_queues, sweep
from virnucpro_workers.consumer.kombu_internals import block_for
from virnucpro_workers.consumer.periodic import PeriodicStep
from virnucpro_workers.loading import LoadingState

FOLLOW_SECONDS = 0.25
"""A worker learns of the queue of a new job within this time."""

WAITING_SECONDS = 0.25
"""How long a worker blocks on the queues that it knows before it polls again, then also the queues of new jobs.
kombu's default of 1 s would leave a GPU idle for that time."""

READY_SECONDS = 0.03
"""How soon after its models are loaded a worker takes a shard that waits for it. Until then it blocks no longer than
this, which costs Redis some thirty small answers a second."""

SWEEP_SECONDS = 5.0


class FollowJobQueues(PeriodicStep):
    """Subscribes to the announced queues of jobs with this worker's bundle, and announces those it holds a shard of.

    While its child loads models it subscribes to none: a shard would wait for that, and other workers may be ready.
    """

    every_seconds = FOLLOW_SECONDS
    bundle_queue: str
    loading: LoadingState
    """Both set on a subclass: the queue of the worker's bundle, and the state that its child reports."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._takes = False
        self._ready_timer: Any = None

    def start(self, parent: Any) -> None:
        parent.app.on_lost_child = lambda: self.pause(parent)
        self._takes = False
        super().start(parent)

    def stop(self, parent: Any) -> None:
        super().stop(parent)
        self._end_looking()

    terminate = stop

    def pause(self, parent: Any) -> None:
        """Take no shard until a child has loaded models again; called before the message of the lost one goes back."""
        self.loading.begin()
        self._takes = False
        self._begin_looking(parent)
        self._subscribe(parent, set())

    def look(self, parent: Any) -> None:
        """Begin to take shards if the child has just loaded its models; Redis is asked only then."""
        if self.loading.is_ready and not self._takes:
            self.poll(parent)

    def _begin_looking(self, parent: Any) -> None:
        if self._ready_timer is None:
            self._ready_timer = parent.timer.call_repeatedly(READY_SECONDS, self.look, (parent,))

    def _end_looking(self) -> None:
        if self._ready_timer is not None:
            self._ready_timer.cancel()
            self._ready_timer = None

    def poll(self, parent: Any) -> None:
        self._takes = self.loading.is_ready
        if self._takes:
            # Each look is a turn of the event loop: half of what an idle worker takes of a processor.
            self._end_looking()
        else:
            self._begin_looking(parent)
        block_for(parent, WAITING_SECONDS if self._takes else READY_SECONDS)
        with parent.task_consumer.channel.conn_or_acquire() as client:
            announce(client, held_queues(self.bundle_queue))
            wanted = live_queues(client, self.bundle_queue)
        self._subscribe(parent, wanted if self._takes else set())

    def _subscribe(self, parent: Any, wanted: set[str]) -> None:
        """Take messages from the queues `wanted` and from no other queue of a job."""
        consumer = parent.task_consumer
        subscribed = {queue.name for queue in consumer.queues if queue.name != self.bundle_queue}
        for name in sorted(subscribed - wanted):
            consumer.cancel_by_queue(name)
        if new := sorted(wanted - subscribed):
            for name in new:
                consumer.add_queue(entity(name))
            consumer.consume()


def held_queues(bundle_queue: str) -> set[str]:
    """Return the queues of the jobs of which this worker holds an unfinished shard."""
    names = {request.delivery_info.get("routing_key") or "" for request in list(state.reserved_requests)}
    return {name for name in names if name.startswith(f"{bundle_queue}.")}


class CountWaiting(PeriodicStep):
    """Sets the gauges of waiting shards and removes the queues of jobs that are over."""

    every_seconds = SWEEP_SECONDS

    def start(self, parent: Any) -> None:
        self._started_at = time.monotonic()
        super().start(parent)

    def poll(self, parent: Any) -> None:
        quiet_seconds = QUIET_LEASES * parent.app.settings.lease_seconds
        # Shards of workers that died while no consumer ran come back within the first lease; until then their queue
        # may look empty.
        if time.monotonic() - self._started_at < quiet_seconds:
            quiet_seconds = float("inf")
        with parent.task_consumer.channel.conn_or_acquire() as client:
            sweep(client, quiet_seconds=quiet_seconds)

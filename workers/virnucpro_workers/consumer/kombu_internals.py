"""Which messages a worker holds: what its leases are for.

kombu has no public names for them: `_delivered` are the messages of a channel that were taken, `_dirty` the tags of
those acknowledged since, which it clears away later.
"""

from __future__ import annotations

import logging
from typing import Any

from celery.worker import state
from kombu.transport import virtual

log = logging.getLogger(__name__)


def held_tags(consumer: Any) -> set[str]:
    """Delivery tags of all messages this worker has taken and not acknowledged, and of all tasks it computes."""
    return _delivered(consumer) | set(running_tasks())


def running_tasks() -> dict[str, str]:
    """The names and arguments of the tasks that this worker computes, by the delivery tags of their messages."""
    return {request.message.delivery_tag: f"{request.name}{request.args}" for request in list(state.active_requests)}


def rebind_channel(lost: Any, channel: Any) -> None:
    """Make the messages of a channel that was lost with its connection those of its successor.

    So a task that outlived the connection is acknowledged (on a closed channel kombu raises what ends the worker), and
    counts among what the worker may take: no other shard waits behind it.
    """
    running = running_tasks()
    for tag, message in list(lost.qos._delivered.items()):
        message.channel = channel
        if tag in running:
            # Not the Redis one's own, which would write it to Redis: there it is, or was given to somebody else.
            virtual.QoS.append(channel.qos, message, tag)


def drop_orphaned(consumer: Any, known: set[str]) -> set[str]:
    """Let go of the messages that `known` has already and no task of this worker is for; returns the other such ones.

    So it is with one that Redis did not take the acknowledgement of: Celery logs that and goes on, and kombu counts the
    message as taken for ever, so that the worker would take no other one. Its lease lapses, and whoever has it next
    finds that it is done. One that was not known may only have come, or gone, this very moment. A worker that stops
    lets go of nothing: it acknowledges and gives back when it is at its end.
    """
    if state.should_stop is not None or state.should_terminate is not None:
        return set()
    tasks = {request.message.delivery_tag for request in list(state.requests.values())}
    orphans = _delivered(consumer) - tasks - set(running_tasks())
    for tag in sorted(orphans & known):
        log.warning("message %s is of no task here, and Redis has not heard that it is done: let go", tag)
        # What kombu does itself about one that is acknowledged, but for Redis.
        virtual.QoS.ack(consumer.task_consumer.channel.qos, tag)
    return orphans - known


def _delivered(consumer: Any) -> set[str]:
    if not consumer.task_consumer:
        return set()
    qos = consumer.task_consumer.channel.qos
    return set(qos._delivered) - qos._dirty

"""Which messages a worker holds: what its leases are for. Called from a thread beside the consumer's own."""

from __future__ import annotations

import logging
from typing import Any

from celery.worker import state
from kombu.transport import virtual

log = logging.getLogger(__name__)


def held_tags(consumer: Any) -> set[str]:
    """Delivery tags of all messages this worker has taken and not acknowledged.

    A reconnect gives a new channel that knows none of the tasks still running, so theirs are added.
    """
    return _delivered(consumer) | set(running_tasks())


def running_tasks() -> dict[str, str]:
    """The names and arguments of the tasks that this worker computes, by the delivery tags of their messages."""
    return {request.message.delivery_tag: f"{request.name}{request.args}" for request in list(state.active_requests)}


def forget_orphans(consumer: Any, known: set[str]) -> set[str]:
    """Let go of the messages that `known` has already and no task of this worker is for; returns the other such ones.

    So it is with one that Redis did not take the acknowledgement of: Celery logs that and goes on, and kombu counts the
    message as taken for ever, so that the worker would take no other one. Its lease lapses, and whoever has it next
    finds that it is done. One that was not known may only have come, or gone, this very moment.
    """
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
    # kombu has no public name for the unacknowledged tags of a channel; it clears those that are dirty later.
    qos = consumer.task_consumer.channel.qos
    return set(qos._delivered) - qos._dirty

"""Prepares a worker's Celery application; that of a client or of Flower needs none of this."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celery import Celery

from virnucpro_tasks.queue.outcomes import PipelineTask
from virnucpro_workers.consumer.kombu_internals import is_ending, use_client
from virnucpro_workers.consumer.lease import LeaseKeeper
from virnucpro_workers.consumer.room import PatientRedis, patience
from virnucpro_workers.consumer.tell_facts import answer_facts

REQUEST = "virnucpro_workers.consumer.request:CountedRequest"
QUEUE_ORDER = "virnucpro_workers.consumer.fair_order:FairQueueOrder"


def install(app: Celery, *, steps: Iterable[type] = (), transport_options: dict[str, Any] | None = None) -> None:
    """Add what every worker needs (leases, a fair order of queues, counted requests, patience), and a role's `steps`.

    `steps` are Celery bootsteps of the consumer, `transport_options` further options of kombu's transport. To be called
    before the worker starts.
    """
    PipelineTask.Request = REQUEST
    answer_facts()
    use_client(PatientRedis)
    patience.gives_up = is_ending
    app.steps["consumer"].update((LeaseKeeper, *steps))
    app.conf.broker_transport_options |= {"queue_order_strategy": QUEUE_ORDER} | (transport_options or {})

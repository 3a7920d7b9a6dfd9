"""Adds to a Celery application what every worker's consumer needs; a client's application has none of it."""

from __future__ import annotations

from typing import Any

from celery import Celery

from virnucpro_tasks.queue.checked_task import CheckedTask
from virnucpro_workers.consumer.lease import LeaseKeeper

REQUEST = "virnucpro_workers.consumer.request:CountedRequest"
QUEUE_ORDER = "virnucpro_workers.consumer.fair_order:FairQueueOrder"


def install(app: Celery, *, transport_options: dict[str, Any] | None = None) -> None:
    """Add leases, the fair order of queues and the requests that note how a computing process ended.

    `transport_options` are further options of kombu's transport. To be called before the worker starts.
    """
    CheckedTask.Request = REQUEST
    app.steps["consumer"].add(LeaseKeeper)
    app.conf.broker_transport_options |= {"queue_order_strategy": QUEUE_ORDER} | (transport_options or {})

"""Whether Redis keeps what it is given: a check before workers start and jobs are submitted."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.queue.queueing import check_broker
from virnucpro_tasks.settings import masked_url

HINT = "see deploy/redis.conf; with VIRNUCPRO_REDIS_CHECK=warn it is used all the same"


def check_durable(app: Celery, *, redis_check: str) -> str:
    """Look at the persistence and eviction of Redis; returns what is wrong, "" if nothing is.

    Raises BrokerError if it does not answer and, unless `redis_check` is "warn", for what is wrong.
    """
    check_broker(app)
    try:
        with app.connection_for_read() as connection:
            faults = shortcomings(connection.default_channel.client.info())
    except (OperationalError, RedisError) as error:
        faults = [f"does not tell how it keeps data ({error})"]
    said = f"Redis at {masked_url(app.conf.broker_url)} {' and '.join(faults)}" if faults else ""
    if said and redis_check != "warn":
        raise BrokerError(said, hint=HINT)
    return said


def shortcomings(info: dict[str, Any]) -> list[str]:
    """What in the answer to INFO makes a Redis lose jobs: an eviction policy that can come into force, no log."""
    found = []
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and int(info.get("maxmemory", 0)):
        found.append(f"evicts under memory pressure, shards among it (maxmemory-policy {policy}, not noeviction)")
    if not int(info.get("aof_enabled", 0)):
        found.append("forgets the queue when it restarts (appendonly no)")
    return found

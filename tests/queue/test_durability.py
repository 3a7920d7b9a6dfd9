"""A Redis that would lose jobs is refused: real servers, badly configured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.redis_checks import check_durable, shortcomings
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service


@pytest.fixture
def client(broker: EmbeddedBroker) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(broker.socket))
    yield client
    for name, value in (("appendonly", "yes"), ("maxmemory-policy", "noeviction"), ("maxmemory", 0)):
        client.config_set(name, value)


def test_the_embedded_broker_passes(broker: EmbeddedBroker, settings: Settings) -> None:
    assert check_durable(make_app(replace(settings, broker_url=broker.url)), redis_check="refuse") == ""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"appendonly": "no"}, "forgets the queue when it restarts"),
        ({"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, "evicts under memory pressure.*allkeys-lru"),
        ({"maxmemory": "100mb", "maxmemory-policy": "volatile-ttl"}, "evicts under memory pressure"),
    ],
)
def test_one_that_loses_jobs_is_refused_or_warned_of(
    broker: EmbeddedBroker, client: redis.Redis, settings: Settings, values: dict[str, str], said: str
) -> None:
    for name, value in values.items():
        client.config_set(name, value)
    app = make_app(replace(settings, broker_url=broker.url))
    with pytest.raises(BrokerError, match=f"{said}.*VIRNUCPRO_REDIS_CHECK=warn"):
        check_durable(app, redis_check="refuse")
    assert check_durable(app, redis_check="warn")


def test_a_policy_that_cannot_come_into_force_is_no_fault() -> None:
    assert shortcomings({"maxmemory_policy": "allkeys-lru", "maxmemory": 0, "aof_enabled": 1}) == []

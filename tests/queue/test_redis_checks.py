"""A Redis that serves another store or would lose jobs is refused: real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.build import own_build
from virnucpro_tasks.errors import BrokerError, ExitCode, StoreError
from virnucpro_tasks.jobs.store_id import store_id
from virnucpro_tasks.keys import STORE
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.queue.client import enqueue, requeue_if_lost
from virnucpro_tasks.queue.messages import jobs_with_messages
from virnucpro_tasks.queue.redis_checks import bind_store, check_durable, check_redis, rebind_store, shortcomings
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service


@pytest.fixture
def client(broker: EmbeddedBroker) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(broker.socket))


@pytest.fixture
def configured(client: redis.Redis) -> Iterator[redis.Redis]:
    """A client of a server whose configuration is restored afterwards."""
    yield client
    for name, value in (("appendonly", "yes"), ("maxmemory-policy", "noeviction"), ("maxmemory", 0)):
        client.config_set(name, value)


def test_a_store_that_is_away_gets_no_second_id_and_redis_is_not_bound_to_that(
    client: redis.Redis, tmp_path: Path
) -> None:
    # A deployment that is new
    assert not rebind_store(client, tmp_path / "ours")
    assert not (tmp_path / "ours").exists() and not client.exists(STORE)
    bind_store(client, tmp_path / "ours")
    bound = client.get(STORE)
    # A Redis that was emptied
    client.delete(STORE)
    assert rebind_store(client, tmp_path / "ours") and client.get(STORE) == bound
    # A store that is not mounted
    (tmp_path / "ours").rename(tmp_path / "away")
    with pytest.raises(StoreError, match="is not there") as raised:
        rebind_store(client, tmp_path / "ours")
    assert raised.value.may_pass
    assert not (tmp_path / "ours").exists() and client.get(STORE) == bound


def test_redis_is_bound_to_the_first_store_and_names_it_to_others(client: redis.Redis, tmp_path: Path) -> None:
    bind_store(client, tmp_path / "ours")
    bind_store(client, tmp_path / "ours")
    with pytest.raises(BrokerError, match=f"serves another store: {tmp_path}/ours.*database of its own") as refused:
        bind_store(client, tmp_path / "theirs")
    assert refused.value.exit_code == ExitCode.UNREACHABLE
    # And it stays as it is
    assert json.loads(client.get(STORE))["id"] == store_id(tmp_path / "ours")


def test_a_store_that_was_moved_is_the_same_store(client: redis.Redis, tmp_path: Path) -> None:
    bind_store(client, tmp_path / "ours")
    (tmp_path / "ours").rename(tmp_path / "mounted")
    bind_store(client, tmp_path / "mounted")


def test_a_redis_without_the_key_is_bound_anew(client: redis.Redis, tmp_path: Path) -> None:
    bind_store(client, tmp_path / "gone")
    client.delete(STORE)
    bind_store(client, tmp_path / "new")


def test_no_job_is_queued_where_another_store_is_served(
    client: redis.Redis, broker: EmbeddedBroker, settings: Settings, tmp_path: Path
) -> None:
    bind_store(client, tmp_path / "theirs")
    job = make_job(settings, SAMPLE)
    app = make_app(replace(settings, broker_url=broker.url))
    with pytest.raises(BrokerError, match="serves another store"):
        enqueue(app, job)
    assert not requeue_if_lost(app, job)
    assert jobs_with_messages(client, [own_build()]) == set()
    app.close()


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b"3", b'{"id": "0"}', b"\xff"])
def test_an_unreadable_binding_counts_as_another_store(client: redis.Redis, tmp_path: Path, said: bytes) -> None:
    client.set(STORE, said or b"null")
    with pytest.raises(BrokerError, match=r"serves another store: what virnucpro\.store says is not readable"):
        bind_store(client, tmp_path)


def test_an_error_of_redis_is_reported(client: redis.Redis, broker: EmbeddedBroker, settings: Settings) -> None:
    client.lpush(STORE, "a list")
    app = make_app(replace(settings, broker_url=broker.url))
    with pytest.raises(BrokerError, match="does not tell which store it serves: WRONGTYPE"):
        check_redis(app)
    app.close()


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
def test_a_redis_that_loses_jobs_is_refused_or_warned_of(
    broker: EmbeddedBroker, configured: redis.Redis, settings: Settings, values: dict[str, str], said: str
) -> None:
    for name, value in values.items():
        configured.config_set(name, value)
    app = make_app(replace(settings, broker_url=broker.url))
    with pytest.raises(BrokerError, match=f"{said}.*VIRNUCPRO_REDIS_CHECK=warn"):
        check_durable(app, redis_check="refuse")
    assert check_durable(app, redis_check="warn")


def test_an_eviction_policy_without_a_memory_limit_is_no_fault() -> None:
    assert shortcomings({"maxmemory_policy": "allkeys-lru", "maxmemory": 0, "aof_enabled": 1}) == []

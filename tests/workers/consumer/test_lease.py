"""Leases on a real server, without worker processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
from celery import Celery
from celery.bootsteps import CLOSE, RUN
from celery.worker import state
from service.deployment import PATIENCE_SECONDS, wait_until
from virnucpro_workers.consumer import lease
from virnucpro_workers.consumer.lease import LeaseKeeper, keep_leases, lapsed, renew

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.keys import LAST_SWEEP, LEASES, UNACKED
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service

LEASE_SECONDS = 2.0
POLL_SECONDS = 0.25


def test_messages_go_back_when_the_worker_stops_not_when_its_connection_is_lost(broker: EmbeddedBroker) -> None:
    app = make_app(Settings(broker_url=broker.url))
    client = redis.Redis(unix_socket_path=str(broker.socket))
    for blueprint_state, waiting in ((RUN, 0), (CLOSE, 1)):
        client.flushall()
        with app.connection_for_write() as connection, connection.SimpleQueue("held") as queue:
            queue.put("a message")
            queue.get(block=True, timeout=PATIENCE_SECONDS)
            parent = SimpleNamespace(
                app=app, task_consumer=queue.consumer, blueprint=SimpleNamespace(state=blueprint_state)
            )
            keeper = LeaseKeeper(parent)
            keeper.start(parent)
            keeper.stop(parent)
            queue.channel.close()
        assert (client.llen("held"), client.hlen(UNACKED)) == (waiting, 1 - waiting)
        keeper.terminate(parent)


class Leases:
    """Taken messages and their leases on a server, without workers."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def take(self, tag: str) -> None:
        # As kombu does, with the clock of a host that is a day behind.
        self.client.zadd("unacked_index", {tag: time.time() - 86_400})

    def age(self, tag: str, seconds: float) -> None:
        self.client.zincrby(LEASES, -seconds, tag)

    def poll(self) -> list[str]:
        """Poll for lapsed leases, a moment after the last poll of any worker."""
        self.client.set(LAST_SWEEP, str(float(self.client.get(LAST_SWEEP) or 0) - POLL_SECONDS))
        return lapsed(self.client, "unacked_index", lease_seconds=LEASE_SECONDS)


@pytest.fixture
def leases(broker: EmbeddedBroker) -> Iterator[Leases]:
    client = redis.Redis(unix_socket_path=str(broker.socket), db=9)
    client.flushdb()
    yield Leases(client)
    client.flushdb()


def test_renewing_never_brings_back_an_acknowledged_message(leases: Leases) -> None:
    leases.take("held")
    assert renew(leases.client, "unacked_index", {"held", "acknowledged"}) == {"acknowledged"}
    assert leases.client.zrange(LEASES, 0, -1) == [b"held"]
    assert renew(leases.client, "unacked_index", set()) == set()


def test_a_message_gets_a_lease_when_it_is_first_seen_and_is_returned_once_when_that_lapses(leases: Leases) -> None:
    leases.take("silent")
    leases.take("alive")
    assert leases.poll() == []
    leases.age("silent", LEASE_SECONDS - 0.5)
    assert leases.poll() == []
    leases.age("silent", 1)
    renew(leases.client, "unacked_index", {"alive"})
    assert leases.poll() == ["silent"]
    assert leases.poll() == []


def test_a_message_whose_finder_dies_lapses_again(leases: Leases) -> None:
    leases.take("silent")
    for _ in range(2):
        assert leases.poll() == []
        leases.age("silent", LEASE_SECONDS + 1)
        assert leases.poll() == ["silent"]


def test_no_lease_runs_while_no_worker_polls(leases: Leases) -> None:
    leases.take("held")
    assert leases.poll() == []
    # Redis, or every worker, was away for ten leases
    leases.age("held", 10 * LEASE_SECONDS)
    leases.client.set(LAST_SWEEP, str(float(leases.client.get(LAST_SWEEP)) - 10 * LEASE_SECONDS))
    assert leases.poll() == []
    leases.age("held", LEASE_SECONDS + 1)
    assert leases.poll() == ["held"]


def test_polls_are_throttled_and_leases_of_acknowledged_messages_removed(leases: Leases) -> None:
    leases.take("held")
    assert leases.poll() == []
    leases.age("held", LEASE_SECONDS + 1)
    assert lapsed(leases.client, "unacked_index", lease_seconds=LEASE_SECONDS) == []
    leases.client.delete("unacked_index")
    assert leases.poll() == []
    assert not leases.client.exists(LEASES)


def consumer_of(app: Celery, tags: list[str]) -> SimpleNamespace:
    qos = SimpleNamespace(_delivered=dict.fromkeys(tags), _dirty=set())
    return SimpleNamespace(app=app, task_consumer=SimpleNamespace(channel=SimpleNamespace(qos=qos)))


@pytest.mark.parametrize("outage", [signal.SIGKILL, signal.SIGSTOP], ids=["connections end", "no answer"])
def test_keeper_survives_an_outage_and_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, outage: signal.Signals
) -> None:
    monkeypatch.setattr(lease, "CONNECT_SECONDS", 0.2)
    request = SimpleNamespace(message=SimpleNamespace(delivery_tag="held"))
    monkeypatch.setattr(state, "requests", {"a task": request})
    stopping = threading.Event()
    data = tmp_path / "data"
    with EmbeddedBroker(data) as broker:
        app = Celery("outage", broker=broker.url, set_as_current=False)
        client = redis.Redis(unix_socket_path=str(broker.socket))
        Leases(client).take("held")
        keeper = threading.Thread(
            target=keep_leases, args=(consumer_of(app, ["held"]), stopping), kwargs={"lease_seconds": 0.4}
        )
        keeper.start()

        def renewed() -> bool:
            try:
                return (client.zscore(LEASES, "held") or 0) > 1
            except redis.exceptions.RedisError:
                return False

        try:
            wait_until(renewed)
            os.kill(broker.pid, outage)
            wait_until(lambda: "leases cannot be renewed" in caplog.text)
            if outage is signal.SIGKILL:
                broker.restart()
            os.kill(broker.pid, signal.SIGCONT)
            Leases(client).take("held")
            client.delete(LEASES)
            wait_until(renewed)
            wait_until(lambda: "leases are renewed again" in caplog.text)
        finally:
            stopping.set()
            keeper.join(timeout=PATIENCE_SECONDS)
        assert not keeper.is_alive()

"""Workers wait while Redis is full; on a real server."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import OutOfMemoryError
from virnucpro_workers.consumer import room
from virnucpro_workers.consumer.room import Patience, PatientRedis

from virnucpro_tasks.broker import EmbeddedBroker

pytestmark = pytest.mark.service


@pytest.fixture
def plain(broker: EmbeddedBroker) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(broker.socket))
    yield client
    client.config_set("maxmemory", 0)
    client.close()


@pytest.fixture
def patient(broker: EmbeddedBroker, plain: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[PatientRedis]:
    monkeypatch.setattr(room, "patience", Patience())
    monkeypatch.setattr(room, "LONGEST_PAUSE_SECONDS", 0.1)
    client = PatientRedis(unix_socket_path=str(broker.socket))
    client.get("x")
    plain.config_set("maxmemory", 1)
    yield client
    client.close()


def pipelined(client: redis.Redis, transaction: bool) -> Any:
    with client.pipeline(transaction=transaction) as pipeline:
        pipeline.hset("hash", "a", "1")
        pipeline.rpush("list", "one")
        return pipeline.execute()


def watched(client: redis.Redis) -> Any:
    def add(pipeline: Any) -> None:
        value = int(pipeline.get("number") or 0)
        pipeline.multi()
        pipeline.set("number", value + 1)

    return client.transaction(add, "number")


OPERATIONS: dict[str, Callable[[redis.Redis], Any]] = {
    "command": lambda client: client.rpush("list", "one"),
    "script": lambda client: client.eval("return redis.call('RPUSH', KEYS[1], 'one')", 1, "list"),
    "pipeline": lambda client: pipelined(client, False),
    "transaction": lambda client: pipelined(client, True),
    "watched": watched,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_is_done_once_when_there_is_room(
    name: str, plain: redis.Redis, patient: PatientRedis, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []
    room.patience.on_wait, room.patience.on_room = lambda: calls.append("wait"), lambda: calls.append("room")
    with pytest.raises(OutOfMemoryError):
        OPERATIONS["command"](plain)
    threading.Timer(0.4, lambda: plain.config_set("maxmemory", 0)).start()
    with caplog.at_level(logging.WARNING):
        OPERATIONS[name](patient)
    assert plain.config_get("maxmemory") == {"maxmemory": "0"}
    assert plain.lrange("list", 0, -1) == ([] if name == "watched" else [b"one"])
    assert plain.get("number") == (b"1" if name == "watched" else None)
    if name != "watched":
        assert calls == ["wait", "room"]
        assert [record.message.split(":")[0] for record in caplog.records] == [
            "Redis is full",
            "Redis has room again, or this worker stops",
        ]


def test_many_threads_say_it_once(plain: redis.Redis, patient: PatientRedis, caplog: pytest.LogCaptureFixture) -> None:
    threads = [threading.Thread(target=lambda: patient.incr("number")) for _ in range(8)]
    with caplog.at_level(logging.WARNING):
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        plain.config_set("maxmemory", 0)
        for thread in threads:
            thread.join()
    assert plain.get("number") == b"8" and len(caplog.records) == 2


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_worker_that_stops_does_not_wait(name: str, patient: PatientRedis) -> None:
    room.patience.gives_up = lambda: True
    with pytest.raises(OutOfMemoryError):
        OPERATIONS[name](patient)


def test_what_needs_no_memory_does_not_wait(plain: redis.Redis, patient: PatientRedis) -> None:
    assert patient.get("x") is None and patient.delete("x") == 0 and patient.lrange("list", 0, -1) == []


def test_other_errors_are_raised(patient: PatientRedis) -> None:
    with pytest.raises(redis.ResponseError, match="unknown command"):
        patient.execute_command("NO-SUCH-COMMAND")

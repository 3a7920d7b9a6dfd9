from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
import redis
from redis.exceptions import ConnectionError as RedisConnectionError

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.keys import shard_shares
from virnucpro_tasks.queue import shard_shares as module
from virnucpro_tasks.queue.shard_shares import KEPT_SECONDS, ShareWriter, shares_of

KEY = shard_shares("job")


@pytest.fixture
def client(broker: EmbeddedBroker) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(broker.socket))
    yield client
    client.close()


def soon(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def finish(writer: ShareWriter, client: redis.Redis, shard: int) -> None:
    with writer.writing("job", shard) as told:
        told.tell(0.9)
        soon(lambda: shares_of(client, "job").get(shard) == 0.9)
        told.tell(1.0)
    soon(lambda: shares_of(client, "job").get(shard) == 1.0)


@pytest.mark.service
def test_the_share_of_a_shard_is_written_while_it_is_computed_and_expires(client: redis.Redis) -> None:
    writer = ShareWriter(client, seconds=0.01)
    with writer.writing("job", 3) as told:
        told.tell(0.25)
        soon(lambda: shares_of(client, "job") == {3: 0.25})
        told.tell(0.5)
        soon(lambda: shares_of(client, "job") == {3: 0.5})
        told.tell(1.0)
    soon(lambda: shares_of(client, "job") == {3: 1.0})
    assert 0 < client.ttl(KEY) <= KEPT_SECONDS
    assert shares_of(client, "another") == {}


@pytest.mark.service
def test_a_share_that_is_told_while_another_is_written_is_written_next(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = ShareWriter._put

    def put_and_tell(writer: ShareWriter, key: str, shard: int, share: float) -> None:
        put(writer, key, shard, share)
        told.tell(max(share, 0.5))

    monkeypatch.setattr(ShareWriter, "_put", put_and_tell)
    with ShareWriter(client, seconds=0.01).writing("job", 3) as told:
        told.tell(0.25)
        soon(lambda: shares_of(client, "job") == {3: 0.5})


@pytest.mark.service
def test_a_shard_that_starts_again_never_goes_back(client: redis.Redis) -> None:
    with ShareWriter(client, seconds=0.01).writing("job", 0) as told:
        told.tell(0.6)
        soon(lambda: shares_of(client, "job") == {0: 0.6})
    seen = []
    with ShareWriter(client, seconds=0.01).writing("job", 0) as told:
        for share in (0.1, 0.3, 0.5, 0.7):
            told.tell(share)
            time.sleep(0.05)
            seen.append(shares_of(client, "job")[0])
        soon(lambda: shares_of(client, "job") == {0: 0.7})
    assert seen == sorted(seen) and seen[0] == 0.6
    # One whose vectors were lost after its end is computed from the beginning
    finish(ShareWriter(client, seconds=0.01), client, 1)
    with ShareWriter(client, seconds=0.01).writing("job", 1) as told:
        told.tell(0.2)
        soon(lambda: shares_of(client, "job")[1] == 0.2)


@pytest.mark.service
def test_entries_of_finished_shards_are_removed_later(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FINISHED_SECONDS", 0.2)
    writer = ShareWriter(client, seconds=0.01)
    for shard in range(3):
        finish(writer, client, shard)
    time.sleep(0.25)
    with writer.writing("job", 3) as told:
        told.tell(0.5)
        soon(lambda: shares_of(client, "job") == {3: 0.5})


@pytest.mark.service
def test_what_is_no_share_counts_for_nothing(client: redis.Redis) -> None:
    client.hset(KEY, mapping={"0": "2.5", "1": "-1", "x": "0.5", "2": "half", "3": "0.25"})
    assert shares_of(client, "job") == {0: 1.0, 1: 0.0, 3: 0.25}


class Away:
    """A Redis that cannot be reached, and says so when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = Event()

    def hget(self, *_: Any) -> None:
        self.asked += 1
        self.answers.wait(30)
        raise RedisConnectionError("away")


def test_a_redis_that_is_away_is_no_matter_of_the_computation() -> None:
    away = Away()
    with ShareWriter(away, seconds=0.001).writing("job", 0) as told:
        soon(lambda: away.asked == 1)
        for step in range(1_000):
            told.tell(step / 1_000)
        assert away.asked == 1
        # It is asked again as long as the shard is computed
        away.answers.set()
        soon(lambda: away.asked > 2)


def test_a_host_without_another_thread_computes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoThread:
        def __init__(self, **_: Any) -> None: ...

        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module, "Thread", NoThread)
    with ShareWriter(None).writing("job", 0) as told:
        told.tell(0.5)

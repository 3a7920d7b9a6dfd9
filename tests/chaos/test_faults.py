"""Faults that need no workers, on the files of a job and a real server."""

from __future__ import annotations

import json
import random
from typing import cast

import pytest
import redis
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.chaos import store_faults
from virnucpro_tasks.chaos.faults import FAULTS
from virnucpro_tasks.chaos.hosts import Hosts
from virnucpro_tasks.chaos.process_faults import kill_worker, stop_child
from virnucpro_tasks.chaos.redis_faults import deliver_twice, empty_redis, fill_redis
from virnucpro_tasks.chaos.scene import Scene
from virnucpro_tasks.chaos.store_faults import flip_bit, lose_store, truncate
from virnucpro_tasks.settings import Settings


class NoHosts:
    """Hosts without any process."""

    def workers(self) -> list[int]:
        return []

    computing = workers


@pytest.fixture
def scene(settings: Settings, broker: EmbeddedBroker) -> Scene:
    return Scene(cast(Hosts, NoHosts()), broker, make_job(settings, SAMPLE), 1.0, 3, random.Random(1), settings.store)


def test_actions_that_undo_a_fault_run_when_they_are_due(scene: Scene) -> None:
    done: list[str] = []
    scene.after(0, lambda: done.append("now"))
    scene.after(1_000, lambda: done.append("later"))
    scene.catch_up()
    assert done == ["now"]
    scene.catch_up(all_of_it=True)
    scene.catch_up(all_of_it=True)
    assert done == ["now", "later"]


def test_there_are_nineteen_kinds_each_with_a_name_of_its_own() -> None:
    assert len(FAULTS) == 19


def test_without_workers_there_is_nothing_to_hit(scene: Scene) -> None:
    assert kill_worker(scene) is None and stop_child(scene) is None
    assert flip_bit(scene) is None


@pytest.mark.parametrize("damage", [flip_bit, truncate])
def test_a_file_is_damaged_only_before_there_are_results(scene: Scene, damage) -> None:
    embedding = scene.job.paths.embedding(0)
    embedding.parent.mkdir(parents=True, exist_ok=True)
    embedding.write_bytes(bytes(1_000))
    assert damage(scene) == set()
    assert embedding.read_bytes() != bytes(1_000)
    scene.job.paths.results.mkdir()
    assert damage(scene) is None


def test_a_store_is_away_and_back_unless_something_was_written_there(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_faults, "TRYING_SECONDS", 0.0)
    content = sorted(scene.store.rglob("*"))

    def pause(seconds: float) -> None:
        assert not scene.store.exists()

    monkeypatch.setattr(store_faults.time, "sleep", pause)
    assert lose_store(scene) == set()
    assert sorted(scene.store.rglob("*")) == content

    def write(seconds: float) -> None:
        scene.store.mkdir()
        (scene.store / "store-id").touch()

    monkeypatch.setattr(store_faults.time, "sleep", write)
    with pytest.raises(OSError, match="not empty"):
        lose_store(scene)


@pytest.mark.service
def test_redis_is_full_until_it_has_room_again(scene: Scene) -> None:
    client = redis.Redis(unix_socket_path=str(scene.broker.socket))
    assert fill_redis(scene) == set()
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        client.rpush("list", "x" * 100_000)
    scene.catch_up(all_of_it=True)
    assert client.rpush("list", "x" * 100_000) == 1
    client.delete("list")


@pytest.mark.service
def test_a_message_is_doubled_with_a_tag_of_its_own_and_all_can_be_lost(scene: Scene) -> None:
    client = redis.Redis(unix_socket_path=str(scene.broker.socket))
    assert deliver_twice(scene) is None
    client.rpush(scene.job.queue, json.dumps({"body": "x", "properties": {"delivery_tag": "first"}}))
    assert deliver_twice(scene) == set()
    messages = [json.loads(message) for message in client.lrange(scene.job.queue, 0, -1)]
    assert len({message["properties"]["delivery_tag"] for message in messages}) == 2
    assert {message["body"] for message in messages} == {"x"}
    assert empty_redis(scene) == set()
    assert client.keys("*") == []

"""Faults that need no workers, on the files of a job and a real server."""

from __future__ import annotations

import json
import random
from typing import cast

import pytest
import redis
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.chaos.faults import FAULTS, Scene, deliver_twice, empty_redis, flip_bit, kill_worker, truncate
from virnucpro_tasks.chaos.hosts import Hosts
from virnucpro_tasks.settings import Settings


class NoHosts:
    """Hosts without any process."""

    def workers(self) -> list[int]:
        return []


@pytest.fixture
def scene(settings: Settings, broker: EmbeddedBroker) -> Scene:
    return Scene(cast(Hosts, NoHosts()), broker, make_job(settings, SAMPLE), 1.0, 3, random.Random(1))


def test_actions_that_undo_a_fault_run_when_they_are_due(scene: Scene) -> None:
    done: list[str] = []
    scene.after(0, lambda: done.append("now"))
    scene.after(1_000, lambda: done.append("later"))
    scene.catch_up()
    assert done == ["now"]
    scene.catch_up(all_of_it=True)
    scene.catch_up(all_of_it=True)
    assert done == ["now", "later"]


def test_there_are_fifteen_kinds_each_with_a_name_of_its_own() -> None:
    assert len(FAULTS) == 15


def test_without_workers_there_is_nothing_to_hit(scene: Scene) -> None:
    assert kill_worker(scene) is None
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

"""A supervisor of a deployment tells Redis of its workers that die."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import redis
from virnucpro_workers.trouble_recorder import TroubleRecorder

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.queue.work_counts import WorkCounts, all_work_counts
from virnucpro_tasks.queue.worker_troubles import fresh_troubles
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.worker_notes import Note, NoteKind

DIED = Note("embed-gpu0", NoteKind.DIED, text="was killed by SIGKILL", hint="more memory")


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.mark.service
def test_a_death_is_recorded_until_the_worker_has_finished_a_task(settings: Settings, broker: EmbeddedBroker) -> None:
    client = redis.Redis(unix_socket_path=str(broker.socket))
    recorder = TroubleRecorder(replace(settings, broker_url=broker.url), host="here", gpu_queue="gpu-1")
    recorder.tell(DIED)
    assert eventually(lambda: len(fresh_troubles(client, ["gpu-1"])) == 1)
    assert "worker embed-gpu0@here" in fresh_troubles(client)[0]
    assert all_work_counts(client) == {"embed-gpu0@here": WorkCounts(deaths=1)}
    recorder.tell(Note("embed-gpu0", NoteKind.READY))
    recorder.tell(Note("embed-gpu0", NoteKind.WORKED))
    assert eventually(lambda: fresh_troubles(client) == [])


def test_without_redis_nobody_waits(settings: Settings) -> None:
    recorder = TroubleRecorder(replace(settings, broker_url="redis://127.0.0.1:1/0"), host="here", gpu_queue="gpu-1")
    began = time.monotonic()
    for _ in range(1_000):
        recorder.tell(DIED)
    assert time.monotonic() - began < 5

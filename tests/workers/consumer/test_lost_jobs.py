from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from job import SAMPLE, make_job, run_job
from virnucpro_workers.consumer.lost_jobs import LostJobFinder, is_watcher, watch

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.build import own_build
from virnucpro_tasks.jobs.job import cancel_job, remove_job
from virnucpro_tasks.keys import STORE
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.queue.chords import jobs_with_chords, register_chord
from virnucpro_tasks.queue.client import enqueue
from virnucpro_tasks.queue.messages import jobs_with_messages
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


@pytest.fixture
def client(broker: EmbeddedBroker) -> Iterator[redis.Redis]:
    client = redis.Redis(unix_socket_path=str(broker.socket))
    yield client
    client.flushall()


@pytest.fixture
def app(settings: Settings, broker: EmbeddedBroker) -> Iterator[VirnucproApp]:
    app = make_app(replace(settings, broker_url=broker.url))
    yield app
    app.close()


def test_a_lost_job_is_queued_at_the_second_poll_and_those_with_messages_never(
    app: VirnucproApp, client: redis.Redis, settings: Settings
) -> None:
    lost, queued = make_job(settings, SAMPLE), make_job(settings, SAMPLE)
    enqueue(app, queued)
    finder = LostJobFinder(settings.store)
    assert finder.poll(app, client) == []
    assert finder.poll(app, client) == [lost.job_id]
    assert jobs_with_messages(client, [own_build()]) == {lost.job_id, queued.job_id}
    assert finder.poll(app, client) == finder.poll(app, client) == []
    # And should it be lost again
    client.flushall()
    finder.poll(app, client)
    assert finder.poll(app, client) == sorted([lost.job_id, queued.job_id])


def test_what_is_over_or_no_job_is_left_alone(app: VirnucproApp, client: redis.Redis, settings: Settings) -> None:
    finished, cancelled, removed, damaged = (make_job(settings, SAMPLE) for _ in range(4))
    run_job(finished, settings)
    cancel_job(cancelled)
    remove_job(removed, force=True)
    damaged.paths.job.write_text("{")
    (settings.store / "jobs" / "notes").mkdir()
    finder = LostJobFinder(settings.store)
    assert [finder.poll(app, client) for _ in range(4)] == [[]] * 4
    assert jobs_with_messages(client, [own_build()]) == set()


def test_a_store_without_jobs_is_no_error(app: VirnucproApp, client: redis.Redis, tmp_path: Path) -> None:
    assert LostJobFinder(tmp_path / "none").poll(app, client) == []


def test_while_the_store_is_away_nothing_of_its_jobs_is_removed_from_redis(
    app: VirnucproApp, client: redis.Redis, settings: Settings
) -> None:
    job = make_job(settings, SAMPLE)
    enqueue(app, job)
    register_chord(client, job.job_id, "group")
    away = settings.store.rename(settings.store.with_name("away"))
    watch(app, Polls(1))
    assert jobs_with_chords(client) == {job.job_id}
    assert not settings.store.exists()
    away.rename(settings.store)


def test_what_lasts_is_told_once_and_what_passes_is_not(
    app: VirnucproApp, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    make_job(settings, SAMPLE)
    settings.store.rename(settings.store.with_name("away"))
    app.backend.client.set(STORE, "of this store")
    for polls, told in ((1, 0), (4, 1)):
        watch(app, Polls(polls))
        assert caplog.text.count("lost jobs cannot be looked for: StoreError") == told


class Polls(threading.Event):
    """Is set after so many polls."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left = count

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        return self.left < 0


def test_one_process_watches_until_it_is_silent(client: redis.Redis) -> None:
    assert is_watcher(client, "a", every_seconds=10)
    assert not is_watcher(client, "b", every_seconds=10)
    assert is_watcher(client, "a", every_seconds=0.001)
    while not is_watcher(client, "b", every_seconds=10):
        pass
    assert not is_watcher(client, "a", every_seconds=10)

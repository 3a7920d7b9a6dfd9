"""The private parts of Celery, kombu and billiard still behave as they are used."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import SimpleNamespace

import billiard
import pytest
from billiard.common import human_status
from celery.apps import worker as celery_worker
from celery.worker import state
from celery.worker.request import Request as CeleryRequest
from celery.worker.worker import WorkController
from kombu.transport.redis import Channel
from kombu.transport.virtual import QoS
from virnucpro_workers.consumer import kombu_internals
from virnucpro_workers.consumer.kombu_internals import (
    allow_children,
    drop_orphaned,
    exit_signal,
    exit_status,
    held_tags,
    is_polling,
    let_go,
    rebind_channel,
    stop_after_the_task,
    stop_quietly,
    unacked_index,
    was_cancelled,
)

from virnucpro_tasks.system.processes import ordered_process_map


class Request:
    """The attributes that are read of a Celery request; sets of Celery's state hold weak references."""

    name, args = "virnucpro.embed_shard", ("job", 3)

    def __init__(self, tag: str) -> None:
        self.message = SimpleNamespace(delivery_tag=tag)


def new_channel() -> SimpleNamespace:
    """A channel that may hold one message at a time, as a worker's."""
    channel = SimpleNamespace(do_restore=False)
    channel.qos = QoS(channel, prefetch_count=1)
    return channel


@pytest.fixture
def channel() -> SimpleNamespace:
    return new_channel()


def consumer_of(channel: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(task_consumer=SimpleNamespace(channel=channel))


def test_an_acknowledged_message_is_not_held(channel: SimpleNamespace) -> None:
    for tag in ("taken", "acknowledged"):
        channel.qos.append(None, tag)
    channel.qos.ack("acknowledged")
    assert held_tags(consumer_of(channel)) == {"taken"}


def test_tasks_still_running_after_a_reconnect_are_held(
    channel: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "active_requests", {Request("running")})
    channel.qos.append(None, "delivered")
    assert held_tags(consumer_of(channel)) == {"delivered", "running"}
    assert held_tags(SimpleNamespace(task_consumer=None)) == {"running"}


def test_messages_of_a_lost_channel_are_acknowledged_at_the_next_one_and_those_of_running_tasks_count_there(
    channel: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, done = Request("running"), Request("done, but Redis was away")
    for request in (running, done):
        request.message.channel = channel
        channel.qos.append(request.message, request.message.delivery_tag)
    monkeypatch.setattr(state, "active_requests", {running})
    new = new_channel()
    rebind_channel(channel, new)
    assert running.message.channel is done.message.channel is new
    assert held_tags(consumer_of(new)) == {"running"}
    assert not new.qos.can_consume()
    new.qos.ack("running")
    assert new.qos.can_consume()


def test_a_message_without_a_task_is_dropped_the_second_time(
    channel: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    channel.qos.append(None, "orphan")
    consumer = consumer_of(channel)
    known = drop_orphaned(consumer, set())
    assert known == {"orphan"}
    assert held_tags(consumer) == {"orphan"}
    assert not channel.qos.can_consume()
    assert drop_orphaned(consumer, known) == set()
    assert held_tags(consumer) == set()
    assert channel.qos.can_consume()
    assert "message orphan" in caplog.text


@pytest.mark.parametrize("where", ["requests", "active_requests"])
def test_a_message_of_a_waiting_or_running_task_is_kept(
    channel: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    request = Request("taken")
    monkeypatch.setattr(state, where, {"a task": request} if where == "requests" else {request})
    channel.qos.append(None, "taken")
    assert drop_orphaned(consumer_of(channel), {"taken"}) == set()
    assert held_tags(consumer_of(channel)) == {"taken"}


@pytest.mark.parametrize("how", ["should_stop", "should_terminate"])
def test_a_worker_that_stops_keeps_the_messages_that_it_will_requeue(
    channel: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(state, how, 0)
    channel.qos.append(None, "orphan")
    assert drop_orphaned(consumer_of(channel), {"orphan"}) == set()
    assert held_tags(consumer_of(channel)) == {"orphan"}


def test_without_a_connection_nothing_is_dropped() -> None:
    assert drop_orphaned(SimpleNamespace(task_consumer=None), {"orphan"}) == set()


def test_a_message_that_is_let_go_makes_room_for_another(
    channel: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request("reassigned")
    request.id, request.acknowledged, request.message.channel = "a task", False, channel
    monkeypatch.setitem(state.requests, request.id, request)
    channel.qos.append(request.message, "reassigned")
    assert not channel.qos.can_consume()
    let_go(request)
    assert channel.qos.can_consume()
    assert request.acknowledged
    assert "a task" not in state.requests


def test_what_is_read_of_kombu_and_celery_is_there() -> None:
    consumer = SimpleNamespace(task_consumer=SimpleNamespace(channel=Channel))
    assert not is_polling(consumer)
    assert unacked_index(Channel) == "unacked_index"
    assert Channel.do_restore
    assert callable(Channel.QoS.restore_by_tag)
    assert not was_cancelled(CeleryRequest)


def test_how_a_process_ended_is_read_from_the_words_of_billiard() -> None:
    assert exit_signal(human_status(-9)) == "SIGKILL"
    assert exit_status(human_status(-9)) is None
    assert exit_status(human_status(7)) == 7
    assert exit_signal(human_status(7)) is None


def finish_with_processes(answers: billiard.Queue) -> None:
    allow_children()
    answers.put(list(ordered_process_map(abs, [-1, 2, -3], processes=2)))


def test_a_pool_child_may_start_processes() -> None:
    answers = billiard.Queue()
    child = billiard.Process(target=finish_with_processes, args=(answers,), daemon=True)
    child.start()
    assert answers.get(timeout=60) == [1, 2, 3]
    child.join()
    assert child.exitcode == 0


class StoppingWorker(WorkController):
    """As Celery makes it, without anything of it that starts."""

    def __init__(self, soft_seconds: float) -> None:
        self.app = SimpleNamespace(conf=SimpleNamespace(worker_soft_shutdown_timeout=soft_seconds))


def seconds_of_the_wait(worker: StoppingWorker) -> float:
    began = time.monotonic()
    worker.wait_for_soft_shutdown()
    return time.monotonic() - began


def test_a_stopping_worker_waits_until_its_process_is_at_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kombu_internals, "SETTLE_SECONDS", 0.2)
    running, looks = Request("tag"), iter([True, True, False, True])
    monkeypatch.setattr(state, "active_requests", {running})
    worker = StoppingWorker(60)
    stop_after_the_task(worker, is_at_task=lambda: next(looks, False))
    assert 0.6 <= seconds_of_the_wait(worker) < 60
    assert next(looks, None) is None


def test_a_stopping_worker_waits_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Request("tag")
    monkeypatch.setattr(state, "active_requests", {running})
    worker = StoppingWorker(0.3)
    stop_after_the_task(worker, is_at_task=lambda: True)
    assert seconds_of_the_wait(worker) >= 0.3


def test_a_stopping_worker_without_a_task_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "active_requests", set())
    worker = StoppingWorker(60)
    stop_after_the_task(worker, is_at_task=lambda: pytest.fail("looked at the process"))
    worker.wait_for_soft_shutdown()


def test_what_celery_prints_for_a_terminal_is_left_out_when_it_stops(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(celery_worker, "safe_say", celery_worker.safe_say)
    monkeypatch.setattr(logging.getLogger(kombu_internals.WORKER_LOGGER), "filters", [])
    stop_quietly()
    monkeypatch.setattr(state, "should_stop", None)
    handlers: dict[str, Callable[..., None]] = {}
    monkeypatch.setattr(celery_worker.platforms, "signals", handlers)
    celery_worker.install_worker_term_handler(SimpleNamespace(hostname="name"))
    handlers["SIGTERM"]()
    assert state.should_stop is not None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("is_ending", "level"), [(True, "WARNING"), (False, "CRITICAL")])
def test_what_ends_a_worker_is_critical_unless_it_was_told_to_stop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_ending: bool, level: str
) -> None:
    monkeypatch.setattr(celery_worker, "safe_say", celery_worker.safe_say)
    logger = logging.getLogger(kombu_internals.WORKER_LOGGER)
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(state, "should_terminate", 0 if is_ending else None)
    monkeypatch.setattr(state, "should_stop", None)
    stop_quietly()
    try:
        raise AttributeError("no pool")
    except AttributeError as error:
        logger.critical("Unrecoverable error: %r", error, exc_info=True)
    (record,) = caplog.records
    assert record.levelname == level and "Unrecoverable error: AttributeError('no pool')" in record.getMessage()
    assert (record.exc_info is None) == is_ending

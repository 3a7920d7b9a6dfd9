from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from virnucpro_workers.consumer import follow
from virnucpro_workers.consumer.follow import FollowJobQueues
from virnucpro_workers.loading import LoadingState
from virnucpro_workers.say import Say

BUNDLE = "gpu-0123456789ab"
JOBS = [f"{BUNDLE}.a.1", f"{BUNDLE}.b.2"]


class Consumer:
    """The part of kombu's consumer that the step uses."""

    def __init__(self) -> None:
        self.queues = [SimpleNamespace(name=BUNDLE)]
        self.channel = self

    @contextmanager
    def conn_or_acquire(self):
        yield None

    def add_queue(self, queue) -> None:
        self.queues.append(queue)

    def cancel_by_queue(self, name: str) -> None:
        self.queues = [queue for queue in self.queues if queue.name != name]

    def consume(self) -> None:
        pass

    @property
    def taken(self) -> list[str]:
        return [queue.name for queue in self.queues]


class Timer:
    """The calls that are repeated now, by their seconds."""

    def __init__(self) -> None:
        self.repeated: list[float] = []

    def call_repeatedly(self, seconds: float, *_: object) -> SimpleNamespace:
        self.repeated.append(seconds)
        return SimpleNamespace(cancel=lambda: self.repeated.remove(seconds))


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setattr(follow, "announce", lambda client, queues: None)
    monkeypatch.setattr(follow, "live_queues", lambda client, bundle: set(JOBS))
    timer = Timer()
    return SimpleNamespace(task_consumer=Consumer(), timer=timer, app=SimpleNamespace(on_lost_child=None))


def test_a_worker_takes_shards_only_while_its_child_has_models(parent: SimpleNamespace) -> None:
    loading = LoadingState()
    step = type("Follow", (FollowJobQueues,), {"bundle_queue": BUNDLE, "loading": loading})(parent)
    consumer = parent.task_consumer
    step.start(parent)
    assert consumer.taken == [BUNDLE]
    loading.run(lambda: None, say=Say(process="embed-cpu0"))
    step.poll(parent)
    assert consumer.taken == [BUNDLE, *JOBS]
    # When the child dies
    parent.app.on_lost_child()
    assert consumer.taken == [BUNDLE]
    step.poll(parent)
    assert consumer.taken == [BUNDLE]
    # Then the next one has to be ready first
    loading.run(lambda: None, say=Say(process="embed-cpu0"))
    step.poll(parent)
    assert consumer.taken == [BUNDLE, *JOBS]


def test_a_worker_takes_its_first_shard_as_soon_as_its_models_are_loaded(
    parent: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = LoadingState()
    step = type("Follow", (FollowJobQueues,), {"bundle_queue": BUNDLE, "loading": loading})(parent)
    consumer = parent.task_consumer
    step.start(parent)
    # While they are loaded it asks Redis for nothing more, and does not block for long
    asked: list[str] = []
    monkeypatch.setattr(follow, "live_queues", lambda client, bundle: asked.append(bundle) or set(JOBS))
    step.look(parent)
    assert not asked and consumer.brpop_timeout == follow.READY_SECONDS
    loading.run(lambda: None, say=Say(process="embed-cpu0"))
    step.look(parent)
    assert consumer.taken == [BUNDLE, *JOBS] and consumer.brpop_timeout == follow.WAITING_SECONDS
    step.look(parent)
    assert asked == [BUNDLE]
    # The same after a computing process was lost, and after a connection was
    parent.app.on_lost_child()
    loading.run(lambda: None, say=Say(process="embed-cpu0"))
    step.look(parent)
    assert consumer.taken == [BUNDLE, *JOBS]
    step.stop(parent)
    parent.task_consumer = consumer = Consumer()
    step.start(parent)
    assert consumer.taken == [BUNDLE, *JOBS] and consumer.brpop_timeout == follow.WAITING_SECONDS


def test_a_worker_looks_for_its_models_only_as_long_as_they_are_loaded(parent: SimpleNamespace) -> None:
    loading = LoadingState()
    step = type("Follow", (FollowJobQueues,), {"bundle_queue": BUNDLE, "loading": loading})(parent)
    step.start(parent)
    assert sorted(parent.timer.repeated) == [follow.READY_SECONDS, follow.FOLLOW_SECONDS]
    loading.run(lambda: None, say=Say(process="embed-cpu0"))
    step.look(parent)
    assert parent.timer.repeated == [follow.FOLLOW_SECONDS]
    parent.app.on_lost_child()
    step.poll(parent)
    assert sorted(parent.timer.repeated) == [follow.READY_SECONDS, follow.FOLLOW_SECONDS]
    step.stop(parent)
    assert parent.timer.repeated == []

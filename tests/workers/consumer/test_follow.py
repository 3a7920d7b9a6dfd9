from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from virnucpro_workers.consumer import follow
from virnucpro_workers.consumer.follow import FollowJobQueues
from virnucpro_workers.loading import LoadingState

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


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.setattr(follow, "announce", lambda client, queues: None)
    monkeypatch.setattr(follow, "live_queues", lambda client, bundle: set(JOBS))
    timer = SimpleNamespace(call_repeatedly=lambda *arguments: None)
    return SimpleNamespace(task_consumer=Consumer(), timer=timer, app=SimpleNamespace(on_lost_child=None))


def test_a_worker_takes_shards_only_while_its_child_has_models(parent: SimpleNamespace) -> None:
    loading = LoadingState()
    step = type("Follow", (FollowJobQueues,), {"bundle_queue": BUNDLE, "loading": loading})(parent)
    consumer = parent.task_consumer
    step.start(parent)
    assert consumer.taken == [BUNDLE]
    loading.run(lambda: None, name="embed-cpu0")
    step.poll(parent)
    assert consumer.taken == [BUNDLE, *JOBS]
    # When the child dies
    parent.app.on_lost_child()
    assert consumer.taken == [BUNDLE]
    step.poll(parent)
    assert consumer.taken == [BUNDLE]
    # Then the next one has to be ready first
    loading.run(lambda: None, name="embed-cpu0")
    step.poll(parent)
    assert consumer.taken == [BUNDLE, *JOBS]

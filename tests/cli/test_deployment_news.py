from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from virnucpro_tasks.cli import deployment_news
from virnucpro_tasks.cli.deployment_news import TROUBLES_SECONDS, WORKERS_SECONDS, DeploymentNews
from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.keys import gpu_queue
from virnucpro_tasks.queue.client import WorkerInfo

QUEUE = gpu_queue("0" * 64)
JOB = cast(Any, SimpleNamespace(spec=SimpleNamespace(bundle_digest="0" * 64)))


class Deployment:
    """Answers in the place of Redis and of the workers, at a time that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.troubles: list[str] = []
        self.workers: list[WorkerInfo] = []
        monkeypatch.setattr(deployment_news, "worker_troubles", lambda _app, _queues: self.troubles)
        monkeypatch.setattr(deployment_news, "workers", lambda _: self.workers)
        self.news = DeploymentNews(cast(Any, None), JOB, clock=lambda: self.now)

    def after(self, seconds: float) -> list[str]:
        self.now += seconds
        return list(self.news())


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    deployment = Deployment(monkeypatch)
    deployment.workers = [WorkerInfo("embed-gpu0@a", (QUEUE,), ())]
    return deployment


def test_a_death_is_told_once_however_old_it_gets(deployment: Deployment) -> None:
    assert deployment.after(0) == []
    deployment.troubles = ["worker embed-gpu0@a, 2 s ago: was killed"]
    assert deployment.after(1) == []
    assert deployment.after(TROUBLES_SECONDS) == ["warning: worker embed-gpu0@a, 2 s ago: was killed"]
    deployment.troubles = ["worker embed-gpu0@a, 7 s ago: was killed"]
    assert deployment.after(TROUBLES_SECONDS) == []


def test_that_no_worker_takes_the_shards_is_told_each_time_it_begins(deployment: Deployment) -> None:
    assert deployment.after(TROUBLES_SECONDS) == []
    able, deployment.workers = deployment.workers, [WorkerInfo("coordinate-0@a", ("cpu",), ())]
    told = [f"no worker takes from queue {QUEUE}: start one with this bundle"]
    assert deployment.after(WORKERS_SECONDS) == told
    assert deployment.after(WORKERS_SECONDS) == []
    deployment.workers = able
    assert deployment.after(WORKERS_SECONDS) == []
    deployment.workers = []
    assert deployment.after(WORKERS_SECONDS) == told


def test_a_redis_that_is_away_is_told_each_time_that_begins(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> list[WorkerInfo]:
        raise BrokerError("Redis cannot be reached")

    with monkeypatch.context() as patch:
        patch.setattr(deployment_news, "workers", away)
        assert deployment.after(TROUBLES_SECONDS) == ["warning: Redis cannot be reached"]
        assert deployment.after(WORKERS_SECONDS) == []
    assert deployment.after(WORKERS_SECONDS) == []
    monkeypatch.setattr(deployment_news, "workers", away)
    assert deployment.after(WORKERS_SECONDS) == ["warning: Redis cannot be reached"]

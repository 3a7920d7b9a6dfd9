from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cli.snapshots import TOKENS, split, unsplit

from virnucpro_tasks.build import own_build
from virnucpro_tasks.cli import deployment_news as module
from virnucpro_tasks.cli.deployment_news import (
    CERTAIN_SECONDS,
    THREAD,
    Answer,
    DeploymentNews,
    ask,
    deployment_news,
)
from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.jobs.progress import JobState, Wait
from virnucpro_tasks.keys import coordinator_queue, coordinator_queues, gpu_queue
from virnucpro_tasks.queue.client import WorkerInfo

BUILD = own_build()
QUEUE = gpu_queue("0" * 64, BUILD)
JOB = cast(
    Any,
    SimpleNamespace(
        job_id="job",
        spec=SimpleNamespace(bundle_digest="0" * 64, build=BUILD),
        coordinator_queue=coordinator_queue(10, BUILD),
    ),
)
APP = cast(Any, None)
COORDINATOR = WorkerInfo("coordinate-0@a", coordinator_queues(BUILD), ())
LOADING = WorkerInfo("embed-gpu0@a", (QUEUE,), (), 40)
BOTH = (COORDINATOR, LOADING)
EMBEDDING = split(JobState.EMBEDDING, shards_done=0, tokens_done=0)


class Deployment:
    """Answers in the place of Redis and of the workers, so many seconds after the first question."""

    def __init__(self, *, seconds: float = CERTAIN_SECONDS) -> None:
        self.now = 0.0
        self.answer: Answer | None = None
        self.news = DeploymentNews(JOB, lambda: self.answer, clock=lambda: self.now)
        self.now = seconds

    def told(self, **answer: Any) -> list[str]:
        self.answer = Answer(**answer)
        return list(self.news.lines(EMBEDDING))


def test_nothing_is_told_before_the_first_answer_and_each_answer_counts_once() -> None:
    deployment = Deployment()
    assert list(deployment.news.lines(EMBEDDING)) == [] and deployment.news.wait(EMBEDDING) is None
    assert len(deployment.told()) == 1
    assert list(deployment.news.lines(EMBEDDING)) == []


def test_a_death_is_told_once_however_old_it_gets() -> None:
    deployment = Deployment()
    told = deployment.told(workers=BOTH, troubles=("worker embed-gpu0@a, 2 s ago: was killed",))
    assert told == ["warning: worker embed-gpu0@a, 2 s ago: was killed"]
    assert deployment.told(workers=BOTH, troubles=("worker embed-gpu0@a, 7 s ago: was killed",)) == []


def test_that_no_worker_takes_the_job_is_told_each_time_it_begins_and_when_it_ends() -> None:
    deployment = Deployment()
    (line,) = deployment.told(workers=(COORDINATOR,))
    assert line.startswith("no worker serves bundle 000000000000")
    assert deployment.told(workers=(COORDINATOR,)) == []
    (line,) = deployment.told()
    assert line.startswith("no worker takes the job, neither a coordinator nor one with bundle 000000000000")
    assert deployment.told(workers=BOTH) == ["workers take the job now"]
    assert deployment.told(workers=BOTH) == []
    # Of workers that were there, one answer too few is not enough
    assert deployment.told() == []
    assert deployment.told(workers=BOTH) == []
    assert deployment.told() == []
    assert len(deployment.told()) == 1


def test_workers_that_are_busy_or_starting_have_time_to_answer_before_they_count_as_missing() -> None:
    deployment = Deployment(seconds=1.0)
    assert deployment.told() == [] and deployment.news.wait(unsplit(JobState.QUEUED)) is None
    assert deployment.told(workers=BOTH) == []
    assert deployment.told() == []
    deployment.now = CERTAIN_SECONDS
    (line,) = deployment.told()
    assert line.startswith("no worker takes the job, neither a coordinator")
    assert deployment.news.wait(unsplit(JobState.QUEUED)) == Wait("no coordinator is running")


def test_whoever_stops_waiting_early_is_told_who_has_not_answered() -> None:
    deployment = Deployment(seconds=1.0)
    assert deployment.told(workers=(LOADING,)) == []
    (line,) = deployment.news.last_lines(EMBEDDING)
    assert line.startswith("no coordinator is running")


def test_a_redis_that_is_away_is_told_each_time_that_begins_and_ends() -> None:
    deployment = Deployment()
    for _ in range(2):
        assert deployment.told(error="Redis cannot be reached") == ["warning: Redis cannot be reached"]
        assert deployment.told(error="Redis cannot be reached") == []
        assert deployment.news.wait(EMBEDDING) == Wait("Redis cannot be reached")
        assert deployment.told(workers=BOTH) == ["Redis answers again"]


def test_a_job_that_has_ended_lacks_nobody() -> None:
    deployment = Deployment()
    deployment.answer = Answer()
    assert list(deployment.news.lines(split(JobState.DONE, shards_done=31, tokens_done=TOKENS))) == []


def test_a_wait_gets_longer_between_two_answers() -> None:
    deployment = Deployment()
    deployment.told(workers=BOTH, at=100.0)
    deployment.now = 103.0
    assert deployment.news.wait(EMBEDDING) == Wait("loading models", 43)
    deployment.told()
    assert deployment.news.wait(unsplit(JobState.QUEUED)) == Wait("no coordinator is running")


def test_the_first_question_is_asked_at_once_and_others_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Answer] = []

    def answer(*_: object) -> Answer:
        asked.append(Answer(error=f"answer {len(asked)}"))
        return asked[-1]

    monkeypatch.setattr(module, "ask", answer)
    told: list[str] = []
    with deployment_news(APP, JOB, seconds=0.01) as news:
        deadline = time.monotonic() + 30
        while len(asked) < 3 and time.monotonic() < deadline:
            told += news.lines(EMBEDDING)
            time.sleep(0.001)
    assert len(asked) >= 3
    assert len(told) == 1 and told[0].startswith("warning: answer ")
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(30)
            assert not thread.is_alive()


def test_a_question_that_fails_after_the_end_is_nobodys_trouble(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    under_way, ended = threading.Event(), threading.Event()

    def fail(*_: object) -> Answer:
        under_way.set()
        ended.wait(30)
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(module, "ask", fail)
    monkeypatch.setattr(threading, "excepthook", lambda told: print(told.exc_value))
    with deployment_news(APP, JOB):
        assert under_way.wait(30)
        (thread,) = (thread for thread in threading.enumerate() if thread.name == THREAD)
    ended.set()
    thread.join(30)
    assert capsys.readouterr().out == ""


def test_an_answer_holds_workers_and_deaths_or_the_reason_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "workers", lambda _, **__: list(BOTH))
    monkeypatch.setattr(module, "worker_troubles", lambda _app, queues: [f"a death in {queues[0]}"])
    found = ask(APP, JOB)
    assert (found.workers, found.troubles, found.error) == (BOTH, (f"a death in {QUEUE}",), "")

    def away(_: object, **__: object) -> list[WorkerInfo]:
        raise BrokerError("Redis cannot be reached")

    monkeypatch.setattr(module, "workers", away)
    assert ask(APP, JOB).error == "Redis cannot be reached"


def test_whoever_stops_waiting_is_told_the_first_answer_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = threading.Event()

    def answer(*_: object) -> Answer:
        may_answer.wait(30)
        return Answer()

    monkeypatch.setattr(module, "ask", answer)
    with deployment_news(APP, JOB) as news:
        assert list(news.lines(EMBEDDING)) == []
        may_answer.set()
        monkeypatch.setattr(module, "LAST_SECONDS", 30.0)
        (line,) = news.last_lines(EMBEDDING)
        assert line.startswith("no worker takes the job")
        assert list(news.last_lines(EMBEDDING)) == []


def test_whoever_stops_waiting_does_not_wait_long_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = threading.Event()
    monkeypatch.setattr(module, "ask", lambda *_: (may_answer.wait(30), Answer())[1])
    monkeypatch.setattr(module, "LAST_SECONDS", 0.01)
    with deployment_news(APP, JOB) as news:
        assert list(news.last_lines(EMBEDDING)) == []
        may_answer.set()

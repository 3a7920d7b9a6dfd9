"""A Redis that is full: every command says so, none takes work that cannot be queued, and none fails otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import fail_job, job_ids
from virnucpro_tasks.queue import client as queue_client
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service


@pytest.fixture
def settings(settings: Settings, broker: EmbeddedBroker) -> Iterator[Settings]:
    """Settings of a deployment whose Redis is full."""
    client = redis.Redis(unix_socket_path=str(broker.socket))
    client.config_set("maxmemory", 1)
    yield replace(settings, broker_url=broker.url)
    client.config_set("maxmemory", 0)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_client, "PING_SECONDS", 0.1)


def test_work_is_refused_and_nothing_is_left_of_it(settings: Settings, virnucpro: Virnucpro) -> None:
    settings.store.mkdir()
    ended = virnucpro("submit", SAMPLE)
    assert ended.code == ExitCode.UNREACHABLE and ended.out == []
    assert " is full: it takes no new work" in ended.err[-1] and "maxmemory" in ended.err[-1]
    assert job_ids(settings.store) == []


@pytest.mark.parametrize("which", ["one", "--all"])
def test_a_job_is_not_resumed_and_stays_failed(settings: Settings, virnucpro: Virnucpro, which: str) -> None:
    job = make_job(settings, SAMPLE)
    fail_job(job, "why", exit_code=ExitCode.JOB_FAILED)
    ended = virnucpro("resume", job.job_id if which == "one" else which)
    assert ended.code == ExitCode.UNREACHABLE and " is full: " in ended.err[0] and len(ended.err) == 1
    assert job.paths.failed.exists()


@pytest.mark.parametrize("command", ["list", "status", "doctor"])
def test_what_shows_something_shows_that_too(settings: Settings, virnucpro: Virnucpro, command: str) -> None:
    job = make_job(settings, SAMPLE)
    ended = virnucpro(command, *([job.job_id] if command == "status" else []))
    assert ended.code == (ExitCode.UNREACHABLE if command == "doctor" else ExitCode.OK)
    assert any(" is full: it takes no new work" in line for line in [*ended.out, *ended.err])
    assert command == "doctor" or any(job.job_id in line for line in ended.out)


@pytest.mark.parametrize("command", ["cancel", "remove"])
def test_what_makes_room_works(settings: Settings, virnucpro: Virnucpro, broker: EmbeddedBroker, command: str) -> None:
    client = redis.Redis(unix_socket_path=str(broker.socket))
    client.config_set("maxmemory", 0)
    job = make_job(settings, SAMPLE)
    client.rpush(job.queue, *"abc")
    client.config_set("maxmemory", 1)
    ended = virnucpro(command, job.job_id, *(["--force"] if command == "remove" else []))
    assert ended.code == ExitCode.OK and " is full: it takes no new work" in ended.err[0]
    assert client.llen(job.queue) == 0


def test_what_follows_a_job_says_so(settings: Settings, virnucpro: Virnucpro) -> None:
    ended = virnucpro("watch", make_job(settings, SAMPLE).job_id, "--timeout", "0.1")
    assert ended.code == ExitCode.TIMED_OUT
    assert any(" is full: it takes no new work" in line for line in ended.err)


def test_what_needs_no_room_says_so_too(settings: Settings, virnucpro: Virnucpro) -> None:
    for arguments in (["prune", "--older-than", "0.0001s"], ["remove"]):
        job = make_job(settings, SAMPLE)
        fail_job(job, "why", exit_code=ExitCode.JOB_FAILED)
        ended = virnucpro(*arguments, *([job.job_id] if arguments == ["remove"] else []))
        assert ended.code == ExitCode.OK and not job.paths.root.exists()
        assert any(" is full: it takes no new work" in line for line in ended.err)

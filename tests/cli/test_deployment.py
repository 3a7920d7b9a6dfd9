from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.cli import deployment
from virnucpro_tasks.cli.deployment import app_of, check_redis, why_away
from virnucpro_tasks.errors import BrokerError, ExitCode
from virnucpro_tasks.queue import redis_checks
from virnucpro_tasks.queue.client import worker_troubles
from virnucpro_tasks.settings import Settings


def taken(server: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait for a server."""
    with suppress(BlockingIOError):
        while True:
            yield server.accept()[0]


def test_the_application_has_the_settings(settings: Settings) -> None:
    app = app_of(settings)
    assert (app.settings, app.conf.broker_url) == (settings, settings.broker_url)


def test_a_warning_of_redis_is_printed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(redis_checks, "check_redis", lambda _: "it keeps nothing")
    check_redis(app_of(settings))
    assert capsys.readouterr().err == "warning: it keeps nothing\n"
    monkeypatch.setattr(redis_checks, "check_redis", lambda _: "")
    check_redis(app_of(settings))
    assert capsys.readouterr().err == ""


def test_a_redis_that_does_not_answer_is_an_error(settings: Settings) -> None:
    with pytest.raises(BrokerError, match="cannot be reached"):
        check_redis(app_of(settings))


def test_one_that_takes_connections_and_answers_nothing_is_not_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        app = app_of(replace(settings, broker_url=f"redis://127.0.0.1:{server.getsockname()[1]}/0"))
        with pytest.raises(BrokerError, match="cannot be reached: Timeout"):
            check_redis(app)
        assert "cannot be reached: Timeout" in str(why_away(app))
        assert worker_troubles(app) == []
        # It was asked once each time: more would be waited for.
        server.setblocking(False)
        assert len([*taken(server)]) == 3


@pytest.mark.parametrize("arguments", [["list"], ["status"], ["top", "--once"], ["cancel"]])
def test_a_command_asks_one_that_answers_nothing_once(
    settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(deployment, "ANSWER_SECONDS", 0.05)
    job = make_job(settings, SAMPLE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("VIRNUCPRO_BROKER_URL", f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        ended = virnucpro(*arguments, *([job.job_id] if arguments[0] in ("status", "cancel") else []))
        server.setblocking(False)
        assert len([*taken(server)]) == 1
    assert ended.code == ExitCode.OK
    assert any("Timeout" in line for line in [*ended.out, *ended.err])

from __future__ import annotations

import pytest

from virnucpro_tasks.cli.deployment import app_of, check_redis
from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.queue import redis_checks
from virnucpro_tasks.settings import Settings


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

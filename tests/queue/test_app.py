from __future__ import annotations

from dataclasses import replace

import pytest
from hostile import FOREIGN_VARIABLES

from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings


def test_settings_become_time_limits_and_the_time_to_stop() -> None:
    app = make_app(replace(Settings(), split_time_limit_seconds=60, soft_shutdown_seconds=7))
    for task in ("virnucpro.split_job", "virnucpro.finish_job"):
        assert app.conf.task_annotations[task] == {"time_limit": 60}
    assert app.conf.worker_soft_shutdown_timeout == 7
    assert app.settings.soft_shutdown_seconds == 7
    app.close()


def test_a_message_is_acknowledged_after_its_task_and_goes_back_if_the_process_is_lost() -> None:
    conf = make_app(Settings()).conf
    assert conf.task_acks_late and conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == conf.worker_concurrency == 1


@pytest.mark.parametrize("is_late", [False, True], ids=["set before", "set after"])
def test_variables_of_other_applications_change_nothing(monkeypatch: pytest.MonkeyPatch, is_late: bool) -> None:
    """Not even in a process that has not removed them, such as a Python program of somebody's."""
    settings = replace(Settings(), broker_url="redis://ours:7/3")
    expected = {name: str(value) for name, value in dict(make_app(settings).conf).items()}
    before = make_app(settings)
    before.backend  # noqa: B018
    for name, value in (FOREIGN_VARIABLES | {"CELERY_BROKER_WRITE_URL": "redis://127.0.0.1:1/0"}).items():
        monkeypatch.setenv(name, value)
    app = before if is_late else make_app(settings)
    for connect in (app.connection, app.broker_connection, app.connection_for_read, app.connection_for_write):
        connection = connect()
        assert (connection.hostname, connection.port, str(connection.virtual_host)) == ("ours", 7, "3")
    assert app.backend.as_uri().rstrip("/") == "redis://ours:7/3"
    assert app.pool.connection.hostname == "ours"
    urls = ("broker_url", "broker_read_url", "broker_write_url", "result_backend")
    assert {getattr(app.conf, name) for name in urls} == {"redis://ours:7/3"}
    assert {name: str(value) for name, value in dict(app.conf).items()} == expected
    assert app.loader.conf == {}

"""How a message ends: the outcomes that are decided in the computing process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from celery.exceptions import Ignore, Reject
from job import SAMPLE, make_job
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.jobs.job import Job, remove_job
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.queue import outcomes, store_failures, tasks
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.queue.outcomes import message_outcome
from virnucpro_tasks.queue.store_failures import ONE_SHOT_FAILURES, STORE_FAILURES_AN_ATTEMPT, store_failure_of
from virnucpro_tasks.recovery.stage import StageRetryError
from virnucpro_tasks.settings import REPEAT, Settings

pytestmark = pytest.mark.service


@pytest.fixture
def app(broker: EmbeddedBroker, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirnucproApp]:
    monkeypatch.setattr(store_failures, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(outcomes, "RETRY_PAUSE_SECONDS", 0)
    app = make_app(replace(settings, broker_url=broker.url))
    yield app
    app.close()


@pytest.fixture
def job(settings: Settings) -> Job:
    return make_job(settings, SAMPLE)


def end(app: VirnucproApp, job: Job, error: Exception | None = None) -> None:
    with message_outcome(app, job):
        if error is not None:
            raise error


FULL = StoreError("the store fails: no space left", hint="make room")


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        PermissionError(13, "Permission denied"),
        ConnectionError("away"),
        OperationalError("away"),
        StageRetryError("plan.json"),
    ],
)
def test_what_says_nothing_against_the_job_puts_the_message_back(app: VirnucproApp, job: Job, error: Exception) -> None:
    with pytest.raises(Reject) as rejected:
        end(app, job, error)
    assert rejected.value.requeue
    assert job_progress(job).state == "queued"


def test_a_store_that_fails_too_often_ends_the_job_and_the_message(app: VirnucproApp, job: Job) -> None:
    for _ in range(STORE_FAILURES_AN_ATTEMPT * job.spec.parameters.max_attempts - 1):
        with pytest.raises(Reject):
            end(app, job, FULL)
    end(app, job, FULL)
    assert job_progress(job).state == "failed"


def test_a_success_starts_the_count_of_store_failures_anew(app: VirnucproApp, job: Job) -> None:
    with pytest.raises(Reject):
        end(app, job, FULL)
    end(app, job)
    assert store_failure_of(app.backend.client, job) is None


def test_other_errors_count_neither_as_failure_nor_as_success(app: VirnucproApp, job: Job) -> None:
    with pytest.raises(Reject):
        end(app, job, FULL)
    with pytest.raises(ValueError):
        end(app, job, ValueError())
    failure = store_failure_of(app.backend.client, job)
    assert failure is not None and "1 time in a row" in failure.message


def test_wrong_arguments_are_ignored_and_an_unknown_job_ends_quietly(app: VirnucproApp) -> None:
    unknown = "20260101t000000z-aaaaaaaaaaaaaaaa"
    assert app.tasks[tasks.split_job.name](unknown) == {"job": unknown, "state": "stopped"}
    for arguments in ((), ("../etc",), (unknown, 1)):
        with pytest.raises(Ignore):
            app.tasks[tasks.split_job.name](*arguments)


def test_a_job_that_is_removed_under_its_task_ends_quietly(app: VirnucproApp, job: Job) -> None:
    gone = FileNotFoundError(2, "No such file or directory", str(job.paths.plan))
    with pytest.raises(FileNotFoundError):
        end(app, job, gone)
    remove_job(job, force=True)
    end(app, job, gone)
    assert not job.paths.root.exists()


def test_in_a_one_shot_run_the_job_ends_soon_and_the_advice_is_to_repeat_the_command(
    app: VirnucproApp, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_failures, "ONE_SHOT_PAUSE_SECONDS", 0)
    app.settings = replace(app.settings, resumed_by=REPEAT)
    for _ in range(ONE_SHOT_FAILURES - 1):
        with pytest.raises(Reject):
            end(app, job, FULL)
    end(app, job, FULL)
    message = job_progress(job).message
    assert "make room; then repeat the command: finished shards are kept" in message and "resume" not in message


def test_in_a_deployment_the_advice_names_the_job(app: VirnucproApp, job: Job) -> None:
    with pytest.raises(Reject):
        end(app, job, FULL)
    failure = store_failure_of(app.backend.client, job)
    assert failure is not None and f"make room; then 'virnucpro resume {job.job_id}' goes on" in failure.message

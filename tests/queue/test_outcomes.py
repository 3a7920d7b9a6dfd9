"""How a message ends: the outcomes that are decided in the computing process."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from celery.exceptions import Ignore, Reject
from job import SAMPLE, make_job
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.errors import ExitCode, StoreError
from virnucpro_tasks.jobs.job import Job, fail_job, remove_job
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.jobs.store_id import store_id
from virnucpro_tasks.paths import SPLITTING
from virnucpro_tasks.queue import outcomes, store_failures, store_outage, tasks
from virnucpro_tasks.queue.app import VirnucproApp, make_app
from virnucpro_tasks.queue.outcomes import JobHasFailedError, message_outcome, require_served_store
from virnucpro_tasks.queue.redis_checks import bind_store
from virnucpro_tasks.queue.store_failures import store_failure_of
from virnucpro_tasks.recovery.events import Began, Failed, append_event
from virnucpro_tasks.recovery.stage import StageRetryError
from virnucpro_tasks.settings import REPEAT, Settings

pytestmark = pytest.mark.service


@pytest.fixture
def app(broker: EmbeddedBroker, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirnucproApp]:
    monkeypatch.setattr(store_failures.time, "sleep", lambda _: None)
    monkeypatch.setattr(outcomes, "RETRY_PAUSE_SECONDS", 0)
    app = make_app(replace(settings, broker_url=broker.url))
    yield app
    app.close()


@pytest.fixture
def job(settings: Settings) -> Job:
    return make_job(settings, SAMPLE)


def end(app: VirnucproApp, job: Job, error: Exception | None = None) -> None:
    with message_outcome(app, job.job_id) as opened:
        assert opened == job
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


def test_a_store_that_fails_too_long_ends_the_job_and_the_message(app: VirnucproApp, job: Job) -> None:
    with pytest.raises(Reject):
        end(app, job, FULL)
    app.settings = replace(app.settings, store_failure_seconds=1e-6)
    end(app, job, FULL)
    assert job_progress(job).state == "failed"


def test_a_job_whose_description_cannot_be_read_is_not_lost(
    app: VirnucproApp, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Job:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "job.json")

    monkeypatch.setattr(outcomes, "open_for_work", broken)
    app.settings = replace(app.settings, store_failure_seconds=1e-6)
    for _ in range(3):
        with pytest.raises(Reject), message_outcome(app, job.job_id):
            pytest.fail("the job was opened")
    failure = store_failure_of(app.backend.client, job)
    assert failure is not None and not failure.ended and "Input/output error (job.json)" in failure.message


@pytest.mark.parametrize("instead", ["nothing", "an empty folder", "another store"])
def test_a_store_that_is_not_mounted_loses_no_message(app: VirnucproApp, job: Job, instead: str) -> None:
    store = app.settings.store
    bind_store(app.backend.client, store)
    # Lost in the middle of a task, and before the next one
    with pytest.raises(Reject), message_outcome(app, job.job_id):
        store.rename(store.with_name("elsewhere"))
        if instead != "nothing":
            store.mkdir()
        if instead == "another store":
            store_id(store)
        raise FileNotFoundError(2, "No such file or directory", str(job.paths.plan))
    with pytest.raises(Reject), message_outcome(app, job.job_id):
        pytest.fail("the job was opened")
    with pytest.raises(StoreError, match="is it mounted"):
        require_served_store(app)
    shutil.rmtree(store, ignore_errors=True)
    store.with_name("elsewhere").rename(store)
    end(app, job)
    require_served_store(app)


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
    bind_store(app.backend.client, app.settings.store)
    unknown = "20260101t000000z-aaaaaaaaaaaaaaaa"
    assert app.tasks[tasks.split_job.name](unknown) == {"job": unknown, "state": "stopped"}
    for arguments in ((), ("../etc",), (unknown, 1)):
        with pytest.raises(Ignore):
            app.tasks[tasks.split_job.name](*arguments)


def test_a_job_that_is_removed_under_its_task_ends_quietly(app: VirnucproApp, job: Job) -> None:
    bind_store(app.backend.client, app.settings.store)
    gone = FileNotFoundError(2, "No such file or directory", str(job.paths.plan))
    with pytest.raises(FileNotFoundError):
        end(app, job, gone)
    with message_outcome(app, job.job_id):
        remove_job(job, force=True)
        raise gone
    assert not job.paths.root.exists()


def test_in_a_one_shot_run_the_job_ends_soon_and_the_advice_is_to_repeat_the_command(
    app: VirnucproApp, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that has failed twice
    app.settings = replace(app.settings, resumed_by=REPEAT)
    monkeypatch.setattr(store_outage, "ONE_SHOT_SECONDS", 0)
    for _ in range(2):
        with pytest.raises(Reject):
            end(app, job, FULL)
    # When it fails once more
    end(app, job, FULL)
    message = job_progress(job).message
    assert "make room; then repeat the command: finished shards are kept" in message and "resume" not in message


def test_in_a_deployment_the_job_waits(app: VirnucproApp, job: Job) -> None:
    with pytest.raises(Reject):
        end(app, job, FULL)
    failure = store_failure_of(app.backend.client, job)
    assert failure is not None and "make room; the job goes on when the store can be used" in failure.message


@pytest.mark.parametrize("task", ["virnucpro.split_job", "virnucpro.finish_job"])
def test_a_stage_of_a_job_that_has_failed_shows_as_failed(app: VirnucproApp, job: Job, task: str) -> None:
    fail_job(job, "reads.fasta: the file is empty", exit_code=ExitCode.BAD_INPUT)
    with pytest.raises(JobHasFailedError, match=f"job={job.job_id} has failed: ") as raised:
        app.tasks[task](job.job_id)
    # Names of files do not pass through Redis
    assert "reads.fasta" not in str(raised.value)
    # And nothing is tried again because of that
    assert app.tasks["virnucpro.recheck_job"](job.job_id) is None


def test_one_that_was_given_up_shows_as_failed_too(app: VirnucproApp, job: Job) -> None:
    bind_store(app.backend.client, job.paths.store)
    for _ in range(job.spec.parameters.max_attempts):
        append_event(job.paths.stage_attempts(SPLITTING), Began(probe=SPLITTING))
        append_event(job.paths.stage_attempts(SPLITTING), Failed(probe=SPLITTING, reason="its worker died"))
    with pytest.raises(JobHasFailedError, match="has failed"):
        app.tasks["virnucpro.split_job"](job.job_id)
    assert "splitting was given up after 3 attempts: its worker died" in job_progress(job).message

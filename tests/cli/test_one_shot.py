from __future__ import annotations

from dataclasses import replace

import pytest
from cli.snapshots import TOKENS, split
from job import SAMPLE

from virnucpro_tasks.cli import one_shot
from virnucpro_tasks.cli.one_shot import embed_here, run_here, wait_here
from virnucpro_tasks.errors import ExitCode, JobError
from virnucpro_tasks.jobs.deduplicate import Submission
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, Progress, Wait
from virnucpro_tasks.settings import Settings

DONE = split(JobState.DONE, shards_done=31, tokens_done=TOKENS)


def embedded(settings: Settings, monkeypatch: pytest.MonkeyPatch, last: Progress, *, quiet: bool = False) -> Job:
    """`embed_here` where the run of the job ends with `last`."""
    monkeypatch.setattr(one_shot, "run_here", lambda *_, **__: last)
    return embed_here(settings, [SAMPLE], devices="cpu", quiet=quiet, scored=False)


def test_a_finished_job_is_not_run_again(finished: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_shot, "EmbeddedBroker", lambda: pytest.fail("a broker was started"))
    assert run_here(settings, finished, devices="cpu", quiet=True).state is JobState.DONE


def test_an_earlier_job_over_the_same_input_is_continued(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    first = embedded(settings, monkeypatch, DONE)
    assert first.spec.parameters.keep_embeddings
    assert capsys.readouterr().err == ""
    assert embedded(settings, monkeypatch, DONE).job_id == first.job_id
    assert capsys.readouterr().err == f"an earlier command was interrupted: job {first.job_id} goes on\n"
    assert embedded(settings, monkeypatch, DONE, quiet=True).job_id == first.job_id
    assert capsys.readouterr().err == ""


def test_the_vectors_of_a_finished_job_are_used(
    finished: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(one_shot, "submit", lambda *_, **__: None)
    monkeypatch.setattr(one_shot, "deduplicate", lambda *_: Submission(finished, JobState.DONE))
    assert embedded(settings, monkeypatch, DONE).job_id == finished.job_id
    assert capsys.readouterr().err == f"the vectors of job {finished.job_id} are used\n"


def test_a_job_that_fails_is_an_error_with_its_message(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = replace(DONE, state=JobState.FAILED, exit_code=ExitCode.BAD_INPUT, message="the file is empty")
    with pytest.raises(JobError, match="the file is empty"):
        embedded(settings, monkeypatch, failed)
    incomplete = replace(DONE, exit_code=ExitCode.INCOMPLETE)
    assert embedded(settings, monkeypatch, incomplete).spec.inputs


@pytest.mark.parametrize(
    ("state", "loading_seconds", "wait"),
    [
        (JobState.QUEUED, 3.0, Wait("starting the workers", 3.0)),
        (JobState.EMBEDDING, 40.0, Wait("loading models", 40.0)),
        (JobState.EMBEDDING, None, None),
        (JobState.SPLITTING, 3.0, None),
        (JobState.FINISHING, 3.0, None),
    ],
)
def test_what_a_job_waits_for(state: JobState, loading_seconds: float | None, wait: Wait | None) -> None:
    assert wait_here(split(state, shards_done=0, tokens_done=0), loading_seconds) == wait

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Virnucpro
from cli.snapshots import TOKENS, split
from job import SAMPLE, make_job

from virnucpro_tasks.cli import admission, submit
from virnucpro_tasks.errors import BrokerError, ExitCode, StoreError
from virnucpro_tasks.jobs.job import cancel_job, fail_job, job_ids, open_job
from virnucpro_tasks.jobs.progress import JobState
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings

Calls = list[tuple[str, str]]


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What would have gone to Redis: (function, job id)."""
    made: Calls = []
    monkeypatch.setattr(submit, "check_redis", lambda _: None)
    monkeypatch.setattr(submit, "hold_off_older_before", lambda _: None)
    monkeypatch.setattr(admission, "require_redis_room", lambda *_: None)
    for name in ("enqueue", "requeue_if_lost"):
        monkeypatch.setattr(submit, name, lambda _app, job, name=name: made.append((name, job.job_id)))
    return made


def test_a_new_job_is_queued_and_its_id_is_all_that_is_printed(
    settings: Settings, virnucpro: Virnucpro, calls: Calls
) -> None:
    ended = virnucpro("submit", SAMPLE, "--priority", 2, "--min-length", 100)
    assert (ended.code, ended.out) == (ExitCode.OK, job_ids(settings.store))
    assert calls == [("enqueue", ended.out[0])]
    parameters = open_job(settings.store, ended.out[0]).spec.parameters
    assert (parameters.priority, parameters.min_length) == (2, 100)


@pytest.mark.parametrize(
    ("stop", "state", "call"),
    [
        (None, JobState.QUEUED, "requeue_if_lost"),
        (cancel_job, JobState.CANCELLED, "enqueue"),
        (lambda job: fail_job(job, "why", exit_code=ExitCode.BAD_INPUT), JobState.FAILED, "enqueue"),
    ],
)
def test_an_earlier_submission_of_the_same_input_is_continued(
    stop: Any, state: JobState, call: str, settings: Settings, virnucpro: Virnucpro, calls: Calls
) -> None:
    (job_id,) = virnucpro("submit", SAMPLE).out
    if stop is not None:
        stop(open_job(settings.store, job_id))
    calls.clear()
    ended = virnucpro("submit", SAMPLE, "--json")
    assert json.loads("\n".join(ended.out)) == {"job_id": job_id, "found": state}
    assert calls == [(call, job_id)]
    assert f"the same input was submitted before: job {job_id} was {state}, and goes on" in ended.err[0]
    # And a new one on request
    (other,) = virnucpro("submit", SAMPLE, "--force-new").out
    assert other != job_id
    assert virnucpro("submit", SAMPLE).out == [other]


def test_a_job_that_redis_does_not_take_leaves_nothing_behind(
    settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise BrokerError("Redis is full")

    monkeypatch.setattr(submit, "enqueue", refuse)
    ended = virnucpro("submit", SAMPLE)
    assert (ended.code, ended.out) == (ExitCode.UNREACHABLE, [])
    assert job_ids(settings.store) == []


def test_coordinators_of_0_7_are_held_off_before_the_job_has_a_folder(
    settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs_then: list[list[str]] = []
    monkeypatch.setattr(submit, "hold_off_older_before", lambda _: jobs_then.append(job_ids(settings.store)))
    assert virnucpro("submit", SAMPLE).code == ExitCode.OK
    assert jobs_then == [[]]


def test_wait_ends_with_the_exit_code_of_the_job(virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch) -> None:
    last = replace(split(JobState.DONE, shards_done=31, tokens_done=TOKENS), exit_code=ExitCode.INCOMPLETE)
    monkeypatch.setattr(submit, "follow_deployed", lambda *_, **__: last)
    ended = virnucpro("submit", SAMPLE, "--wait", "--json")
    assert ended.code == ExitCode.INCOMPLETE
    assert json.loads("\n".join(ended.out))["state"] == "done"
    assert ended.err[0].startswith("job ")


def test_a_folder_with_results_is_refused_before_anything_is_submitted(
    settings: Settings, virnucpro: Virnucpro, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text("{}")
    assert virnucpro("submit", SAMPLE, "-o", out).code == ExitCode.USAGE
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "chunks.tsv").write_text("mine")
    refused = virnucpro("submit", SAMPLE, "-o", tmp_path / "others")
    assert refused.code == ExitCode.USAGE and "chunks.tsv exists already" in refused.err[-1]
    assert job_ids(settings.store) == []


def test_chunks_of_another_length_than_the_head_was_trained_on_are_computed_if_asked_for(
    virnucpro: Virnucpro, settings: Settings
) -> None:
    for command in (["submit", SAMPLE, "-e", 300], ["submit", SAMPLE, "-e", 300, "--dry-run"]):
        refused = virnucpro(*command)
        assert refused.code == ExitCode.USAGE and "or --allow-mismatch" in refused.err[-1]
    assert job_ids(settings.store) == []
    ended = virnucpro("submit", SAMPLE, "-e", 300, "--allow-mismatch")
    assert ended.err == ["warning: chunks of 300 bases, but the head was trained on 500"]


def test_a_job_can_be_called_by_its_name_until_it_is_removed(settings: Settings, virnucpro: Virnucpro) -> None:
    (job_id,) = virnucpro("submit", SAMPLE, "--name", "sea-water").out
    assert virnucpro("status", "sea-water", "--no-workers").out[0].startswith(job_id)
    # The same submission again is the same job, which may have a second name
    assert virnucpro("submit", SAMPLE, "--name", "sea-water").out == [job_id]
    assert virnucpro("submit", SAMPLE, "--name", "again").out == [job_id]
    (listed,) = json.loads("\n".join(virnucpro("list", "--json").out))
    assert listed["names"] == ["again", "sea-water"]
    assert virnucpro("remove", "sea-water", "--force").err[-1] == f"job {job_id} is removed"
    for name in ("sea-water", "again"):
        assert virnucpro("status", name, "--no-workers").code == ExitCode.JOB_FAILED


def test_a_name_that_another_job_has_is_refused_and_nothing_is_submitted(
    settings: Settings, virnucpro: Virnucpro, calls: Calls
) -> None:
    (job_id,) = virnucpro("submit", SAMPLE, "--name", "mine").out
    calls.clear()
    ended = virnucpro("submit", SAMPLE, "--min-length", 100, "--name", "mine")
    assert ended.code == ExitCode.USAGE and f"job {job_id} is called mine" in ended.err[-1]
    assert job_ids(settings.store) == [job_id] and calls == []


def test_an_earlier_job_is_not_continued_under_a_name_that_is_taken(
    settings: Settings, virnucpro: Virnucpro, calls: Calls
) -> None:
    (job_id,) = virnucpro("submit", SAMPLE).out
    (other,) = virnucpro("submit", SAMPLE, "--min-length", 100, "--name", "mine").out
    cancel_job(job := open_job(settings.store, job_id))
    calls.clear()
    for flags in ([], ["--force-new"]):
        ended = virnucpro("submit", SAMPLE, "--name", "mine", *flags)
        assert ended.code == ExitCode.USAGE and f"job {other} is called mine" in ended.err[-1]
        assert sorted(job_ids(settings.store)) == sorted([job_id, other]) and calls == []
        assert job.paths.cancelled.exists()


@pytest.mark.parametrize("name", ["", "7", "@last", "a/b", "../x", "a b"])
def test_what_is_no_name_is_refused_before_any_work(name: str, settings: Settings, virnucpro: Virnucpro) -> None:
    ended = virnucpro("submit", SAMPLE, "--name", name)
    assert ended.code == ExitCode.USAGE and "is no name for a job" in ended.err[-1]
    assert not settings.store.exists()


def test_only_a_job_that_is_surely_meant_is_cancelled_or_removed(settings: Settings, virnucpro: Virnucpro) -> None:
    (job_id,) = virnucpro("submit", SAMPLE).out
    assert virnucpro("status", "@last", "--no-workers").out[0].startswith(job_id)
    assert virnucpro("status", job_id[:4], "--no-workers").out[0].startswith(job_id)
    for command in ("cancel", "remove"):
        for meant in ("@last", job_id[:8]):
            ended = virnucpro(command, meant)
            assert ended.code == ExitCode.USAGE and job_id in ended.err[-1]
    assert job_ids(settings.store) == [job_id]
    job = open_job(settings.store, job_id)
    assert not job.paths.cancelled.exists()
    assert virnucpro("cancel", job_id[:20]).code == ExitCode.OK and job.paths.cancelled.exists()


def test_a_timeout_needs_something_to_wait_for(settings: Settings, virnucpro: Virnucpro) -> None:
    ended = virnucpro("submit", SAMPLE, "--timeout", "10m")
    assert ended.code == ExitCode.USAGE and "give --wait or --output too" in ended.err[-1]
    assert job_ids(settings.store) == []


def test_a_submission_that_waited_long_enough_says_how_to_get_the_results(
    settings: Settings, virnucpro: Virnucpro, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    ended = virnucpro("submit", SAMPLE, "--output", output, "--timeout", "0.1s", "--json")
    (job_id,) = job_ids(settings.store)
    assert ended.code == ExitCode.TIMED_OUT
    assert ended.err[-1].endswith(
        f"('virnucpro watch {job_id}' follows it, 'virnucpro cancel {job_id}' stops it,"
        f" 'virnucpro results {job_id} --output {output}' copies its results)"
    )
    assert json.loads("\n".join(ended.out))["exit_code"] == ExitCode.TIMED_OUT
    assert not output.exists()


def test_a_sample_sheet_stands_for_the_inputs(
    settings: Settings, virnucpro: Virnucpro, calls: Calls, tmp_path: Path
) -> None:
    (tmp_path / "reads.fa").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "sheet.tsv").write_text("sample\tfile\nliver\treads.fa\n")
    ended = virnucpro("submit", "--samples", tmp_path / "sheet.tsv")
    assert ended.code == ExitCode.OK and calls == [("enqueue", ended.out[0])]
    (source,) = open_job(settings.store, ended.out[0]).inputs
    assert (source.sample, source.listed) == ("liver", f"{tmp_path / 'sheet.tsv'}, line 2")
    (tmp_path / "sheet.tsv").write_text("sample\tfile\nliver\tnone.fa\n")
    refused = virnucpro("submit", "--samples", tmp_path / "sheet.tsv")
    assert refused.code == ExitCode.BAD_INPUT and "line 2" in refused.err[-1] and len(calls) == 1


def test_a_job_without_room_is_refused_and_leaves_nothing(
    settings: Settings, virnucpro: Virnucpro, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("full", hint="--anyway")

    monkeypatch.setattr(submit, "admit", full)
    ended = virnucpro("submit", SAMPLE, "--name", "first")
    assert ended.code == ExitCode.JOB_FAILED and "full (--anyway)" in ended.err[0]
    assert job_ids(settings.store) == [] and calls == []
    assert virnucpro("submit", SAMPLE, "--name", "first", "--anyway").code == ExitCode.OK
    # One that is there already needs no more.
    assert virnucpro("submit", SAMPLE).code == ExitCode.OK
    monkeypatch.setattr(submit, "require_room_for_copies", full)
    assert virnucpro("submit", SAMPLE).code == ExitCode.JOB_FAILED
    assert len(job_ids(settings.store)) == 1


def test_an_admitted_job_was_compared_with_the_store_and_redis(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(admission, "require_redis_room", lambda _, needed_bytes: asked.append(needed_bytes))
    app = make_app(settings)
    admission.admit(app, make_job(settings, SAMPLE))
    assert asked and asked[0] > 0
    empty = tmp_path / "empty.fasta"
    empty.touch()
    admission.admit(app, make_job(settings, empty, allow_empty=True))
    broken = tmp_path / "broken.fasta.gz"
    broken.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    job = make_job(settings, broken)
    job.paths.input(0).write_bytes(broken.read_bytes()[:-100])
    admission.admit(app, job)
    assert len(asked) == 1

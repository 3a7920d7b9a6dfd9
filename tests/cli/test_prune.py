from __future__ import annotations

import json

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.cli import prune as prune_command
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job, cancel_job
from virnucpro_tasks.jobs.prune import Unpruned
from virnucpro_tasks.settings import Settings


@pytest.fixture
def cancelled(settings: Settings) -> Job:
    job = make_job(settings, SAMPLE)
    cancel_job(job)
    return job


def test_a_dry_run_names_what_goes_and_removes_nothing(cancelled: Job, virnucpro: Virnucpro) -> None:
    ended = virnucpro("prune", "--older-than", "0.001s", "--dry-run", "--json")
    told = json.loads("\n".join(ended.out))
    assert ended.code == ExitCode.OK and told["dry_run"] and told["keep"] == "nothing"
    assert [job["job_id"] for job in told["jobs"]] == [cancelled.job_id] and told["left"] == []
    assert told["jobs"][0]["bytes"] > 0 and cancelled.paths.job.exists()
    ended = virnucpro("prune", "--older-than", "0.001s", "--dry-run")
    assert ended.out[1].split("\t")[:2] == [cancelled.job_id, "cancelled"] and "would be freed" in ended.err[0]


def test_jobs_are_removed_although_redis_is_away(cancelled: Job, virnucpro: Virnucpro, settings: Settings) -> None:
    running = make_job(settings, SAMPLE)
    ended = virnucpro("prune", "--older-than", "0.001s", "--all-owners")
    assert ended.code == ExitCode.OK and "cannot be reached" in ended.err[0] and "freed" in ended.err[1]
    assert not cancelled.paths.root.exists() and running.paths.job.exists()


def test_jobs_in_the_name_of_others_stay(cancelled: Job, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRNUCPRO_OWNER", "somebody else")
    assert virnucpro("prune", "--older-than", "0.001s").code == ExitCode.OK
    assert cancelled.paths.job.exists()


def test_the_age_is_an_option_or_a_setting(
    cancelled: Job, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = virnucpro("prune")
    assert ended.code == ExitCode.USAGE and "--older-than 30d" in ended.err[0]
    for wrong, said in (("0s", "no time of more than 0"), ("30", "write 30d for days"), ("", "no time"), ("30w", "")):
        ended = virnucpro("prune", "--older-than", wrong)
        assert ended.code == ExitCode.USAGE and said in ended.err[0]
    monkeypatch.setenv("VIRNUCPRO_RETENTION_DAYS", "30")
    assert "0 jobs that ended 30d ago" in virnucpro("prune").err[0]
    assert cancelled.paths.job.exists()


def test_a_job_that_stays_is_named_with_the_reason(
    cancelled: Job, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune_command, "prune", lambda found, rule: Unpruned(found.job.job_id, "why"))
    ended = virnucpro("prune", "--older-than", "0.001s")
    assert ended.code == ExitCode.JOB_FAILED and ended.err[-1].endswith(f"{cancelled.job_id} stays: why")

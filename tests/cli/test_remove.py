from __future__ import annotations

from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import fail_job
from virnucpro_tasks.settings import Settings


def test_a_finished_job_needs_no_redis(settings: Settings, virnucpro: Virnucpro) -> None:
    job = make_job(settings, SAMPLE)
    fail_job(job, "why", exit_code=ExitCode.BAD_INPUT)
    ended = virnucpro("remove", job.job_id)
    assert (ended.code, ended.err) == (ExitCode.OK, [f"job {job.job_id} is removed"])
    assert not job.paths.root.exists()


def test_one_whose_description_is_damaged_can_be_removed(settings: Settings, virnucpro: Virnucpro) -> None:
    job, tried = make_job(settings, SAMPLE), make_job(settings, SAMPLE)
    for each in (job, tried):
        each.paths.job.write_text("{")
    fail_job(tried, f"{tried.paths.job} is damaged", exit_code=ExitCode.JOB_FAILED)
    ended = virnucpro("remove", job.job_id)
    assert ended.code == ExitCode.JOB_FAILED and "still under way" in ended.err[0] and "--force" in ended.err[0]
    for each, flags in ((job, ["--force"]), (tried, [])):
        ended = virnucpro("remove", each.job_id, *flags)
        assert ended.code == ExitCode.OK and "was damaged, is removed" in ended.err[0]
        assert not each.paths.root.exists()


def test_a_job_that_is_not_there_is_an_error(settings: Settings, virnucpro: Virnucpro) -> None:
    job = make_job(settings, SAMPLE)
    virnucpro("remove", job.job_id, "--force")
    ended = virnucpro("remove", job.job_id)
    assert ended.code == ExitCode.JOB_FAILED and "not in the store" in ended.err[0]

from __future__ import annotations

import json

from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import fail_job
from virnucpro_tasks.settings import Settings


def test_it_ends_with_the_exit_code_of_the_job(settings: Settings, virnucpro: Virnucpro) -> None:
    job = make_job(settings, SAMPLE)
    fail_job(job, "reads.fasta: the file is empty", exit_code=ExitCode.BAD_INPUT)
    ended = virnucpro("watch", job.job_id, "--json")
    assert ended.code == ExitCode.BAD_INPUT
    assert ended.err == [
        "failed, 0 shards embedded so far",
        f"virnucpro: error: job {job.job_id}: reads.fasta: the file is empty",
    ]
    assert json.loads("\n".join(ended.out))["exit_code"] == ExitCode.BAD_INPUT


def test_a_job_that_is_not_there_is_an_error(settings: Settings, virnucpro: Virnucpro) -> None:
    make_job(settings, SAMPLE)
    ended = virnucpro("watch", "20260101t000000z-aaaaaaaaaaaaaaaa")
    assert ended.code == ExitCode.JOB_FAILED and "not in the store" in ended.err[0]

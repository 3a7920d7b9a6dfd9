from __future__ import annotations

from pathlib import Path

import pytest
from job import SAMPLE, make_job, run_job

from virnucpro_tasks.errors import DamagedError, ExitCode, JobError
from virnucpro_tasks.jobs.job import cancel_job, fail_job
from virnucpro_tasks.jobs.results import result_files
from virnucpro_tasks.paths import COMMIT_MARK
from virnucpro_tasks.settings import Settings


def test_files_of_a_finished_job_are_given_the_commit_mark_last(settings: Settings) -> None:
    job = make_job(settings, SAMPLE)
    with pytest.raises(JobError, match="not finished"):
        result_files(job)
    run_job(job, settings)
    files = result_files(job)
    assert {file.name for file in files} > {"records.tsv", "chunks.tsv"} and files[-1].name == COMMIT_MARK
    assert [file.name for file in files[:-1]] == sorted(file.name for file in files[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_a_file_that_is_not_what_was_written_is_named(settings: Settings, damage: object) -> None:
    job = make_job(settings, SAMPLE)
    run_job(job, settings)
    damage(job.paths.results / "chunks.tsv")  # type: ignore[operator]
    with pytest.raises(DamagedError, match=r"chunks\.tsv is missing or damaged") as raised:
        result_files(job)
    assert f"virnucpro remove {job.job_id}" in raised.value.hint


def test_a_job_that_ended_without_results_says_how(settings: Settings) -> None:
    job = make_job(settings, SAMPLE)
    cancel_job(job)
    with pytest.raises(JobError, match=f"it was cancelled.*'virnucpro resume {job.job_id}' continues it"):
        result_files(job)
    job.paths.cancelled.unlink()
    fail_job(job, "a.fasta, line 3: bad (correct it)", exit_code=ExitCode.BAD_INPUT)
    with pytest.raises(JobError, match=r"no results: it has failed: a\.fasta, line 3: bad \(correct it\)$"):
        result_files(job)

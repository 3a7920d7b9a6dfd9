from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from job import SAMPLE, make_job
from jobs.test_leftovers import of_a_killed_process

from virnucpro_tasks.cli.work_folder import WORK_FOLDER, go_on, open_work, other_inputs, remove_work
from virnucpro_tasks.errors import ExitCode, OutputError
from virnucpro_tasks.jobs.deduplicate import deduplicate
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.store_id import store_id
from virnucpro_tasks.settings import Settings


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "out" / WORK_FOLDER


@pytest.fixture
def job(settings: Settings, work: Path) -> Job:
    """A job in the work folder, as a run leaves it."""
    return new_job(settings, work, SAMPLE)


def new_job(settings: Settings, work: Path, reads: Path) -> Job:
    job = deduplicate(work, make_job(replace(settings, store=work), reads)).job
    store_id(work)
    (work / "workers.log").touch()
    return job


def test_the_last_job_takes_the_folder_with_it(job: Job, work: Path) -> None:
    remove_work(job)
    assert not work.exists() and work.parent.exists()


def test_the_unfinished_work_of_another_command_stays_and_is_named(
    job: Job, settings: Settings, work: Path, tmp_path: Path
) -> None:
    reads = tmp_path / "other.fasta"
    reads.write_text(">a\nACGT\n")
    other = new_job(settings, work, reads)
    assert other_inputs(work.parent, other) == [str(SAMPLE)]
    remove_work(other)
    assert job.paths.job.exists() and not other.paths.root.exists()
    assert deduplicate(work, make_job(replace(settings, store=work), SAMPLE)).job.job_id == job.job_id


def test_a_job_that_a_killed_command_had_not_noted_goes_with_the_one_that_does_the_same(
    job: Job, settings: Settings, work: Path
) -> None:
    before, unnoted, again = (make_job(replace(settings, store=work), SAMPLE) for _ in range(3))
    assert go_on(again).job_id == job.job_id
    assert not any(other.paths.root.exists() for other in (before, unnoted, again))
    remove_work(job)
    assert not work.exists()


def test_files_of_others_in_the_folder_stay(job: Job, work: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (job.paths.root / "link").symlink_to(outside)
    (work / "notes.txt").touch()
    remove_work(job)
    assert [file.name for file in work.iterdir()] == ["notes.txt"]
    assert (outside / "file").exists()


@pytest.mark.parametrize("kind", ["file", "link to a folder", "link to nothing"])
def test_what_is_no_folder_is_not_worked_in(work: Path, tmp_path: Path, kind: str) -> None:
    work.parent.mkdir()
    (tmp_path / "other").mkdir()
    if kind == "file":
        work.write_text("mine")
    else:
        work.symlink_to(tmp_path / ("other" if kind == "link to a folder" else "none"))
    with pytest.raises(OutputError, match="is not a folder") as refused:
        open_work(work.parent)
    assert refused.value.exit_code == ExitCode.USAGE


def test_a_run_begins_by_removing_what_a_killed_one_left_half_written(job: Job, work: Path) -> None:
    delivered, mine = work.parent / of_a_killed_process("records.tsv"), work.parent / ".mine.tmp"
    delivered.touch()
    mine.touch()
    half = job.paths.embeddings / ".000001.safetensors.12.0123abcd.tmp"
    half.touch()
    (work / "jobs" / "20260101t000000z-aaaaaaaaaaaaaaaa" / "input").mkdir(parents=True)
    open_work(work.parent)
    assert mine.exists() and not delivered.exists()
    assert not half.exists() and [entry.name for entry in (work / "jobs").iterdir()] == [job.job_id]

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from job import all_jobs, make_job

from virnucpro_tasks.errors import ExitCode, InputError, JobDamagedError, JobError
from virnucpro_tasks.jobs.job import (
    Job,
    cancel_job,
    fail_job,
    is_stopped,
    open_for_work,
    open_job,
    remove_job,
    reopen_job,
)
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.files import write_checked


@pytest.fixture
def reads(tmp_path: Path) -> Path:
    file = tmp_path / "reads.fasta"
    file.write_text(">a\nACGT\n")
    return file


def test_a_job_reads_back_as_it_was_made(settings: Settings, reads: Path) -> None:
    job = make_job(settings, reads)
    assert open_job(settings.store, job.job_id) == job
    assert [other.job_id for other in all_jobs(settings)] == [job.job_id]
    assert job.spec.inputs[0].name == str(reads)
    assert job.paths.input(0).read_bytes() == reads.read_bytes()


def test_a_job_that_does_not_say_its_coverage_is_scored_by_frames(settings: Settings, reads: Path) -> None:
    job = make_job(settings, reads)
    facts = msgspec.to_builtins(job.spec)
    assert facts["parameters"].pop("coverage") == "frames"
    write_checked(job.paths.job, facts)
    assert open_job(settings.store, job.job_id).spec.parameters.coverage is Coverage.FRAMES
    facts["parameters"]["coverage"] = "everything"
    write_checked(job.paths.job, facts)
    with pytest.raises(JobDamagedError):
        open_job(settings.store, job.job_id)


def test_the_staged_input_survives_deletion_of_the_original(settings: Settings, reads: Path) -> None:
    job = make_job(settings, reads)
    reads.unlink()
    assert job.paths.input(0).read_text() == ">a\nACGT\n"


def test_standard_input_is_staged(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b">a\nACGT\n")))
    job = make_job(settings, Path("-"))
    assert job.spec.inputs[0].name == "standard input"
    assert job.paths.input(0).read_bytes() == b">a\nACGT\n"


@pytest.mark.parametrize("name", ["missing.fasta", "."])
def test_unreadable_input_leaves_no_job_behind(settings: Settings, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"No such file|is a folder"):
        make_job(settings, tmp_path / name)
    assert all_jobs(settings) == []


def test_unknown_job(settings: Settings) -> None:
    with pytest.raises(JobError, match="not in the store"):
        open_job(settings.store, "20260101t000000z-aaaaaaaaaaaaaaaa")


def test_no_flipped_bit_in_its_description_makes_another_job(settings: Settings, reads: Path) -> None:
    job = make_job(settings, reads)
    whole = job.paths.job.read_bytes()
    refused = 0
    for place in range(len(whole)):
        flipped = bytes([whole[place] ^ 1 << place % 8])
        job.paths.job.write_bytes(whole[:place] + flipped + whole[place + 1 :])
        try:
            assert open_job(settings.store, job.job_id) == job, place
        except JobDamagedError as error:
            assert str(job.paths.job) in str(error) and error.exit_code == ExitCode.JOB_FAILED
            refused += 1
    # Only blanks between the fields may become others.
    assert refused > len(whole) * 7 / 8


def described(job: Job, **changed: Any) -> None:
    """Write job.json as versions without a checksum did."""
    job.paths.job.write_text(json.dumps(msgspec.to_builtins(job.spec) | changed))


def test_a_description_from_before_there_were_digests_is_read(settings: Settings, reads: Path) -> None:
    job = make_job(settings, reads)
    described(job)
    assert open_job(settings.store, job.job_id) == job


@pytest.mark.parametrize(
    "changed",
    [{"owner": 3}, {"job_id": "20260101t000000z-aaaaaaaaaaaaaaaa"}, {"inputs": 1}, {"parameters": []}, {"new": 1}],
)
def test_a_description_of_other_types_is_damaged(settings: Settings, reads: Path, changed: dict[str, Any]) -> None:
    job = make_job(settings, reads)
    described(job, **changed)
    with pytest.raises(JobDamagedError, match="is damaged"):
        open_job(settings.store, job.job_id)


def test_who_is_to_work_at_a_damaged_job_ends_it_and_a_restored_one_is_resumed(settings: Settings, reads: Path) -> None:
    job = make_job(settings, reads)
    whole = job.paths.job.read_bytes()
    job.paths.job.write_bytes(whole.replace(b'"min_length": 60', b'"min_length": 61'))
    assert job.paths.job.read_bytes() != whole
    with pytest.raises(JobDamagedError):
        open_for_work(settings.store, job.job_id)
    # Whoever has it open and waits for it is told
    progress = job_progress(job)
    assert (progress.state, progress.exit_code) == ("failed", ExitCode.JOB_FAILED)
    assert str(job.paths.job) in progress.message
    job.paths.job.write_bytes(whole)
    reopen_job(open_job(settings.store, job.job_id), retry_quarantined=False)
    assert not is_stopped(job.paths)


def test_cancel_and_reopen(settings: Settings, reads: Path) -> None:
    job = make_job(settings, reads)
    assert not is_stopped(job.paths)
    cancel_job(job)
    assert is_stopped(job.paths)
    fail_job(job, "why", exit_code=ExitCode.BAD_INPUT)
    reopen_job(job, retry_quarantined=False)
    assert not is_stopped(job.paths)


def test_a_job_under_way_is_removed_only_by_force(settings: Settings, reads: Path) -> None:
    job = make_job(settings, reads)
    with pytest.raises(JobError, match="under way"):
        remove_job(job, force=False)
    remove_job(job, force=True)
    assert is_stopped(job.paths)
    assert not job.paths.root.exists()


def test_the_demonstration_bundle_is_never_taken_silently(settings: Settings, reads: Path) -> None:
    from virnucpro_tasks.errors import SettingsError

    with pytest.raises(SettingsError, match="--bundle demo"):
        make_job(replace(settings, bundle=None), reads)

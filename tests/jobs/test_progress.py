from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from job import SAMPLE, embed, finish_files, make_job, run_job

from virnucpro_tasks.cli.results import copy_embeddings
from virnucpro_tasks.errors import DamagedError, ExitCode
from virnucpro_tasks.jobs.job import Job, cancel_job, fail_job, job_ids, reopen_job
from virnucpro_tasks.jobs.progress import JobState, job_progress, read_report
from virnucpro_tasks.jobs.results import result_files
from virnucpro_tasks.paths import FINISHING, SPLITTING
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.recovery.events import Began, Failed, append_event
from virnucpro_tasks.recovery.stage import stage_attempt
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan


def test_the_life_of_a_job_is_read_from_its_files(settings: Settings) -> None:
    settings = replace(settings, shard_tokens=1_500)
    job = make_job(settings, SAMPLE)
    assert job_progress(job).state == JobState.QUEUED
    with stage_attempt(job, SPLITTING, limit_seconds=60):
        assert job_progress(job).state == JobState.SPLITTING
    splitting = split_files(job)
    shards = [next(splitting)]
    first = job_progress(job)
    assert (first.state, first.shards_total, first.tokens_total) == (JobState.SPLITTING, None, None)
    shards += splitting
    before = job_progress(job)
    assert (before.state, before.shards_done, before.tokens_done) == (JobState.EMBEDDING, 0, 0)
    embed(job, shards[0], settings)
    midway = job_progress(job)
    assert 0 < (midway.tokens_done or 0) < (midway.tokens_total or 0)
    for shard in shards[1:]:
        embed(job, shard, settings)
    # Nobody finishes yet, and then somebody does
    assert job_progress(job).state == JobState.EMBEDDING
    with stage_attempt(job, FINISHING, limit_seconds=60):
        assert job_progress(job).state == JobState.FINISHING
    assert job_progress(job).state == JobState.EMBEDDING
    finish_files(job)
    done = job_progress(job)
    assert (done.state, done.is_final, done.exit_code) == (JobState.DONE, True, ExitCode.OK)
    assert done.tokens_done == done.tokens_total == before.tokens_total
    assert done.shards_done == done.shards_total == len(shards)
    assert done.message.startswith("14 records: ")


def test_a_shard_whose_record_is_quarantined_counts_as_done(settings: Settings) -> None:
    job = make_job(replace(settings, shard_tokens=500, max_attempts=1), SAMPLE)
    shards = list(split_files(job))
    append_event(job.paths.attempts(0), Began(probe="whole"))
    append_event(job.paths.attempts(0), Failed(probe="whole", reason="its worker died"))
    states = [embed(job, shard, settings) for shard in shards]
    assert states == ["quarantined", *["embedded"] * (len(shards) - 1)]
    progress = job_progress(job)
    assert (progress.state, progress.shards_quarantined, progress.shards_done) == (
        JobState.EMBEDDING,
        1,
        len(shards),
    )
    assert progress.tokens_done == progress.tokens_total
    finish_files(job)
    done = job_progress(job)
    assert done.exit_code == ExitCode.INCOMPLETE
    assert "chunks quarantined: 1 attempts: its worker died" in done.message


def test_failure_and_cancellation_are_final_until_taken_back(settings: Settings) -> None:
    job = make_job(settings, SAMPLE)
    fail_job(job, "reads.fasta: the file is empty", exit_code=ExitCode.BAD_INPUT)
    failed = job_progress(job)
    assert (failed.state, failed.message, failed.exit_code) == (
        JobState.FAILED,
        "reads.fasta: the file is empty",
        ExitCode.BAD_INPUT,
    )
    reopen_job(job, retry_quarantined=False)
    assert not job_progress(job).is_final
    cancel_job(job)
    assert job_progress(job).state == JobState.CANCELLED


@pytest.mark.parametrize("harmed", [b"", b"[" * 5_000, b"[]", b'{"message": 1, "exit_code": 5}', None])
def test_a_damaged_note_of_failure_is_a_failure(settings: Settings, harmed: bytes | None) -> None:
    job = make_job(settings, SAMPLE)
    fail_job(job, "reads.fasta: the file is empty", exit_code=ExitCode.BAD_INPUT)
    changed = job.paths.failed.read_bytes().replace(b'"exit_code": 3', b'"exit_code": 2')
    job.paths.failed.write_bytes(changed if harmed is None else harmed)
    progress = job_progress(job)
    assert (progress.state, progress.exit_code) == (JobState.FAILED, ExitCode.JOB_FAILED)
    assert f"{job.paths.failed} is damaged" in progress.message and "virnucpro resume" in progress.message


@pytest.mark.parametrize("harmed", [b"", b"[" * 5_000, b"{}", b'{"counts": {"records": 1}}'])
def test_a_damaged_commit_mark_is_named_and_written_again(settings: Settings, harmed: bytes) -> None:
    job = make_job(settings, SAMPLE)
    run_job(job, settings)
    whole = job.paths.run.read_bytes()
    job.paths.run.write_bytes(harmed)
    with pytest.raises(DamagedError, match=r"run\.json is missing or damaged") as raised:
        job_progress(job)
    assert (raised.value.exit_code, "delete it" in str(raised.value)) == (ExitCode.JOB_FAILED, True)
    # And the remedy that is named helps
    job.paths.run.unlink()
    assert finish_files(job) == []
    assert job.paths.run.read_bytes() == whole


def test_invalid_records_are_named_with_the_summary(settings: Settings, tmp_path: Path) -> None:
    reads = tmp_path / "reads.fasta"
    reads.write_text(f">good\n{'ACGTACGTAC' * 12}\n" + "".join(f">bad{n}\nAC-GT\n" for n in range(12)))
    job = make_job(settings, reads)
    for shard in split_files(job):
        embed(job, shard, settings)
    finish_files(job)
    progress = job_progress(job)
    lines = progress.message.splitlines()
    assert progress.exit_code == ExitCode.INCOMPLETE
    assert "record 'bad0': illegal character '-' on line 4" in progress.message
    assert lines[-1] == "and 2 more: see records.tsv"


def test_a_snapshot_is_plain_json(settings: Settings) -> None:
    shown = json.loads(json.dumps(job_progress(make_job(settings, SAMPLE)).as_dict()))
    assert (shown["state"], shown["exit_code"]) == ("queued", None)


STRAYS = (
    *("000001 (1).safetensors", "000001~.safetensors", "._000001.safetensors", ".nfs000000000012ab", ".DS_Store"),
    *("Thumbs.db", "1.safetensors", "00000x.safetensors", "000001.safetensors.tmp", "000001.sync-conflict.safetensors"),
    *("999999.safetensors", "000000 (conflicted copy).json", "000002 (1).json", "999999.json", "0.json"),
)
"""Names that file systems, other systems, editors and programs for synchronisation leave in folders."""


def litter(job: Job) -> None:
    """Leave files of other programs in every folder of a job."""
    for folder in [job.paths.root, *(place for place in job.paths.root.rglob("*") if place.is_dir())]:
        for name in STRAYS:
            (folder / name).write_bytes(b"theirs")


def test_files_of_other_programs_count_for_nothing(settings: Settings, tmp_path: Path) -> None:
    settings = replace(settings, shard_tokens=1_500)
    job = make_job(settings, SAMPLE, keep_embeddings=True)
    litter(job)
    assert job_progress(job).state == JobState.QUEUED
    shards = list(split_files(job))
    litter(job)
    before = job_progress(job)
    assert (before.state, before.shards_done, before.shards_quarantined) == (JobState.EMBEDDING, 0, 0)
    for shard in shards:
        assert embed(job, shard, settings) == "embedded"
    litter(job)
    midway = job_progress(job)
    assert (midway.state, midway.shards_done) == (JobState.EMBEDDING, len(shards))
    reopen_job(job, retry_quarantined=True)
    assert job_ids(settings.store) == [job.job_id]
    assert finish_files(job) == []
    litter(job)
    # Then no file of theirs is handed out, nor is one of them in the report
    names = {file.name for file in result_files(job)}
    assert names == {*read_report(job.paths.run).digests, "run.json", "virnucpro.log"}
    copy_embeddings(job, tmp_path / "vectors")
    assert sorted(file.name for file in (tmp_path / "vectors").iterdir()) == [
        f"{shard:06d}.safetensors" for shard in shards
    ]


@pytest.mark.parametrize("name", ["embeddings", "quarantine", "shards"])
def test_a_folder_that_is_gone_holds_nothing(settings: Settings, name: str) -> None:
    job = make_job(settings, SAMPLE)
    (job.paths.root / name).rmdir()
    assert job_progress(job).state == JobState.QUEUED


def test_shards_under_way_count_in_part_and_finished_ones_once(settings: Settings) -> None:
    settings = replace(settings, shard_tokens=1_500)
    job = make_job(settings, SAMPLE)
    shards = list(split_files(job))
    tokens = [entry.tokens for entry in read_plan(job.paths.plan).shards]
    assert job_progress(job, shares={0: 0.5}).tokens_done == tokens[0] // 2
    assert job_progress(job, shares={0: 0.5, 1: 0.25, 999: 0.5}).tokens_done == tokens[0] // 2 + tokens[1] // 4
    # A shard is whole when its vectors are written, whatever its worker has told
    almost = job_progress(job, shares=dict.fromkeys(shards, 1.0))
    assert almost.state == JobState.EMBEDDING
    assert 0.99 * sum(tokens) < (almost.tokens_done or 0) < sum(tokens)
    embed(job, shards[0], settings)
    assert job_progress(job, shares={0: 0.5}).tokens_done == tokens[0]

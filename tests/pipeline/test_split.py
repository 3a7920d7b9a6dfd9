from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from job import SAMPLE, embed, make_job
from reads.bam_files import Read, write_bam

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import cancel_job
from virnucpro_tasks.pipeline.split import missing_shards, split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.shards.tables import frames_digest, read_table


def test_a_shard_is_on_disk_before_its_number_is_given_and_the_plan_after_the_last(settings: Settings) -> None:
    job = make_job(replace(settings, shard_tokens=500), SAMPLE)
    numbers = []
    for number in split_files(job):
        assert job.paths.frames(number).exists()
        assert not job.paths.plan.exists()
        numbers.append(number)
    plan = read_plan(job.paths.plan)
    assert numbers == plan.to_embed == list(range(len(plan.shards)))
    assert len(numbers) > 3
    for number, entry in enumerate(plan.shards):
        frames = read_table(job.paths.frames(number))
        assert (frames.num_rows, frames_digest(frames)) == (entry.frames, entry.digest)


def test_alignments_that_are_left_out_are_counted_even_if_no_read_is_left(settings: Settings, tmp_path: Path) -> None:
    file = write_bam(tmp_path / "in.bam", Read("second", "ACGT" * 200, 256), Read("third", "ACGT" * 200, 2048))
    job = make_job(settings, file, allow_empty=True)
    assert list(split_files(job)) == []
    assert read_plan(job.paths.plan).facts(0).skipped == 2


def test_equal_input_gives_equal_shards(settings: Settings) -> None:
    first, second = (make_job(settings, SAMPLE) for _ in range(2))
    assert list(split_files(first)) == list(split_files(second))
    assert read_plan(first.paths.plan) == read_plan(second.paths.plan)


def test_a_second_splitting_gives_what_is_missing(settings: Settings) -> None:
    job = make_job(replace(settings, shard_tokens=500), SAMPLE)
    numbers = list(split_files(job))
    embed(job, numbers[0], settings)
    assert list(split_files(job)) == missing_shards(job, read_plan(job.paths.plan)) == numbers[1:]


@pytest.mark.parametrize("content", [b"<html>\n", b"MKVLAT\n", b"", b"@r\nACGT\n+\nII\n"])
def test_bad_input_fails_the_job_with_its_message(settings: Settings, tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad.fasta"
    bad.write_bytes(SAMPLE.read_bytes())
    job = make_job(settings, bad)
    # As if it had been replaced after its beginning was looked at.
    bad.write_bytes(content)
    assert list(split_files(job)) == []
    failure = json.loads(job.paths.failed.read_bytes())
    assert failure["exit_code"] == ExitCode.BAD_INPUT
    assert "bad.fasta" in failure["message"]
    assert not job.paths.plan.exists()


def test_input_changed_under_a_running_job_fails_it(settings: Settings, tmp_path: Path) -> None:
    reads = tmp_path / "reads.fasta"
    reads.write_bytes(SAMPLE.read_bytes())
    job = make_job(settings, reads)
    with reads.open("ab") as handle:
        handle.write(b">more\nACGTACGT\n")
    list(split_files(job))
    assert "changed while the job was reading it" in json.loads(job.paths.failed.read_bytes())["message"]
    assert not job.paths.plan.exists()


def test_a_cancelled_job_is_not_split(settings: Settings) -> None:
    job = make_job(replace(settings, shard_tokens=500), SAMPLE)
    started = split_files(job)
    next(started)
    cancel_job(job)
    assert list(started) == []
    assert list(split_files(job)) == []
    assert not job.paths.plan.exists()

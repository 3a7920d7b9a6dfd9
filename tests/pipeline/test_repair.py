from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from job import SAMPLE, embed, finish_files, make_job, run_job

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings


@pytest.fixture
def small(settings: Settings) -> Settings:
    return replace(settings, shard_tokens=500)


def results_of(job: Job) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in job.paths.results.iterdir() if file.name != "run.json"}


def shorter(file: Path) -> None:
    pq.write_table(pq.read_table(file).slice(1), file)


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


@pytest.mark.parametrize("harm", [shorter, truncated, flipped, Path.unlink])
@pytest.mark.parametrize("table", ["frames", "chunks"])
def test_a_table_that_was_damaged_is_cut_again_from_the_input(
    small: Settings, table: str, harm: Callable[[Path], None]
) -> None:
    quiet, job = make_job(small, SAMPLE), make_job(small, SAMPLE)
    run_job(quiet, small)
    for shard in split_files(job):
        embed(job, shard, small)
    harm(getattr(job.paths, table)(1))
    assert finish_files(job) == []
    assert results_of(job) == results_of(quiet)


@pytest.mark.parametrize("harm", [truncated, flipped])
def test_a_table_that_was_damaged_before_it_was_embedded_is_cut_again(
    small: Settings, harm: Callable[[Path], None]
) -> None:
    quiet, job = make_job(small, SAMPLE), make_job(small, SAMPLE)
    run_job(quiet, small)
    shards = list(split_files(job))
    harm(job.paths.frames(shards[1]))
    states = [embed(job, shard, small) for shard in shards]
    # A bit in a statistic that nobody reads does no harm before the digest is compared.
    assert states[0] == "embedded" and (states[1] == "failed" or harm is flipped)
    for shard in finish_files(job):
        assert embed(job, shard, small) == "embedded"
    assert finish_files(job) == []
    assert results_of(job) == results_of(quiet)


@pytest.mark.parametrize("harm", [truncated, flipped])
def test_a_plan_that_was_damaged_is_made_again(small: Settings, harm: Callable[[Path], None]) -> None:
    quiet, job = make_job(small, SAMPLE), make_job(small, SAMPLE)
    run_job(quiet, small)
    for shard in split_files(job):
        embed(job, shard, small)
    harm(job.paths.plan)
    assert job_progress(job).shards_total is None
    for shard in finish_files(job):
        assert embed(job, shard, small) == "embedded"
    assert finish_files(job) == []
    assert results_of(job) == results_of(quiet)


def test_a_table_that_cannot_be_cut_again_ends_the_job_with_its_path(small: Settings) -> None:
    job = make_job(small, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, small)
    truncated(job.paths.chunks(0))
    job.paths.input(0).unlink()
    job.paths.input(0).write_text(">other\nACGT\n")
    assert finish_files(job) == []
    message = json.loads(job.paths.failed.read_bytes())["message"]
    assert str(job.paths.chunks(0)) in message and "submit it again" in message
    assert not job.paths.results.exists()

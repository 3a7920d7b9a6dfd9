from __future__ import annotations

import errno
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from job import SAMPLE, embed, finish_files, make_job, run_job

from virnucpro_tasks.errors import ExitCode, StoreError
from virnucpro_tasks.jobs.job import Job, cancel_job, fail_job
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.output.tables import TABLES, TIMED_FILES
from virnucpro_tasks.pipeline import repair as repair_module
from virnucpro_tasks.pipeline.score_in_background import THREAD_NAME
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings


@pytest.fixture
def small(settings: Settings) -> Settings:
    """The sample makes five shards."""
    return replace(settings, shard_tokens=1_500)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The results of the sample if nothing is damaged."""
    settings = Settings(store=tmp_path_factory.mktemp("undisturbed"), bundle="demo", shard_tokens=1_500)
    job = make_job(settings, SAMPLE)
    run_job(job, settings)
    return results_of(job)


def results_of(job: Job) -> dict[str, bytes]:
    timed = ("run.json", *TIMED_FILES)
    return {file.name: file.read_bytes() for file in job.paths.results.iterdir() if file.name not in timed}


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
    small: Settings, undisturbed: dict[str, bytes], table: str, harm: Callable[[Path], None]
) -> None:
    job = make_job(small, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, small)
    harm(getattr(job.paths, table)(1))
    assert finish_files(job) == []
    assert results_of(job) == undisturbed


@pytest.mark.parametrize("harm", [truncated, flipped])
def test_a_table_that_was_damaged_before_it_was_embedded_is_cut_again(
    small: Settings, undisturbed: dict[str, bytes], harm: Callable[[Path], None]
) -> None:
    job = make_job(small, SAMPLE)
    shards = list(split_files(job))
    harm(job.paths.frames(shards[1]))
    states = [embed(job, shard, small) for shard in shards]
    # A bit in a statistic that nobody reads does no harm before the digest is compared.
    assert states[0] == "embedded" and (states[1] == "failed" or harm is flipped)
    for shard in finish_files(job):
        assert embed(job, shard, small) == "embedded"
    assert finish_files(job) == []
    assert results_of(job) == undisturbed


@pytest.mark.parametrize("harm", [truncated, flipped])
def test_a_plan_that_was_damaged_is_made_again(
    small: Settings, undisturbed: dict[str, bytes], harm: Callable[[Path], None]
) -> None:
    job = make_job(small, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, small)
    harm(job.paths.plan)
    assert job_progress(job).shards_total is None
    for shard in finish_files(job):
        assert embed(job, shard, small) == "embedded"
    assert finish_files(job) == []
    assert results_of(job) == undisturbed


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


@pytest.mark.parametrize("name", ["shards", "embeddings", "scores", "quarantine", "attempts", "input"])
@pytest.mark.parametrize("stage", ["embedding", "finishing"])
def test_a_folder_that_somebody_deleted_is_made_again(
    small: Settings, undisturbed: dict[str, bytes], name: str, stage: str
) -> None:
    job = make_job(small, SAMPLE)
    shards = list(split_files(job))
    if stage == "finishing":
        for shard in shards:
            embed(job, shard, small)
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join()
    shutil.rmtree(job.paths.root / name)
    for _ in range(2):
        for shard in finish_files(job):
            embed(job, shard, small)
    if name == "input" and not job.paths.results.exists():
        assert "submit it again" in json.loads(job.paths.failed.read_bytes())["message"]
    elif name == "input":
        # Its sequences are gone; all that was computed from them is there.
        found = results_of(job)
        assert {name for name in undisturbed if name not in found} == {"virus.fasta.gz"}
        assert all(found[table.name] == undisturbed[table.name] for table in TABLES if table.written_by is None)
    else:
        assert results_of(job) == undisturbed


@pytest.mark.parametrize("stop", [cancel_job, lambda job: fail_job(job, "why", exit_code=ExitCode.JOB_FAILED)])
def test_nothing_is_to_be_embedded_for_a_job_that_is_stopped_while_its_input_is_cut_again(
    small: Settings, stop: Callable[[Job], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(small, SAMPLE)
    list(split_files(job))
    flipped(job.paths.plan)
    splitting = repair_module.split_files

    def stopped_meanwhile(job: Job) -> Iterator[int]:
        yield from splitting(job)
        stop(job)

    monkeypatch.setattr(repair_module, "split_files", stopped_meanwhile)
    assert repair_module.repair(job, processes=1) == []


def test_an_input_in_the_store_that_cannot_be_read_says_nothing_against_the_job(
    small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(small, SAMPLE)
    opening = Path.open

    def broken(path: Path, *arguments: Any, **options: Any) -> Any:
        if path == job.paths.input(0):
            raise OSError(errno.EIO, "Input/output error", str(path))
        return opening(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(StoreError, match="Input/output error"):
        list(split_files(job))
    assert not job.paths.failed.exists()

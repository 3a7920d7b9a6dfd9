from __future__ import annotations

import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from job import all_jobs, make_job, run_job

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.deduplicate import content_key, deduplicate, replace_submission
from virnucpro_tasks.jobs.job import cancel_job, fail_job, remove_job
from virnucpro_tasks.jobs.progress import JobState
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.settings import Settings


@pytest.fixture
def reads(tmp_path: Path) -> Path:
    file = tmp_path / "reads.fasta"
    file.write_text(f">one\n{'ACG' * 100}\n>two\nNNN\n")
    return file


def found(settings: Settings, reads: Path, **changed: Any) -> tuple[str, JobState | None]:
    result = deduplicate(settings.store, make_job(settings, reads, **changed))
    return result.job.job_id, result.state


def test_what_is_half_done_or_done_is_found_and_nothing_of_the_new_job_is_left(settings: Settings, reads: Path) -> None:
    first, state = found(settings, reads)
    assert state is None
    assert found(settings, reads, priority=0) == (first, JobState.QUEUED)
    (job,) = all_jobs(settings)
    run_job(job, settings)
    assert found(settings, reads) == (first, JobState.DONE)
    assert [path.name for path in (settings.store / "jobs").iterdir()] == [first]


@pytest.mark.parametrize(
    "changed",
    [
        {"chunk_length": 300},
        {"min_length": 0},
        {"strict": True},
        {"keep_embeddings": True},
        {"coverage": Coverage.SEGMENTS, "scored": False},
    ],
)
def test_other_parameters_are_other_work(settings: Settings, reads: Path, changed: dict[str, Any]) -> None:
    first, _ = found(settings, reads)
    other, state = found(settings, reads, **changed)
    assert (other != first, state) == (True, None)
    assert found(settings, reads)[0] == first


def test_other_contents_names_bundles_and_versions_are_other_work(
    settings: Settings, reads: Path, tmp_path: Path
) -> None:
    spec = make_job(settings, reads).spec
    renamed = shutil.copy(reads, tmp_path / "renamed.fasta")
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.copy(reads, tmp_path / "elsewhere" / reads.name)
    keys = {
        content_key(spec),
        content_key(msgspec.structs.replace(spec, bundle_digest="0" * 64)),
        content_key(msgspec.structs.replace(spec, version="0")),
        content_key(msgspec.structs.replace(spec, inputs=spec.inputs * 2)),
        content_key(make_job(settings, renamed).spec),
        content_key(make_job(replace(settings, dialect="broad"), reads).spec),
        content_key(make_job(replace(settings, precision="bf16"), reads).spec),
    }
    reads.write_text(">one\nACGT\n")
    keys.add(content_key(make_job(settings, reads).spec))
    assert len(keys) == 8
    assert content_key(make_job(replace(settings, shard_tokens=7, max_attempts=9), moved).spec) in keys


def test_what_stopped_the_older_job_is_taken_back(settings: Settings, reads: Path) -> None:
    first, _ = found(settings, reads)
    (job,) = all_jobs(settings)
    cancel_job(job)
    assert found(settings, reads) == (first, JobState.CANCELLED)
    assert not job.paths.cancelled.exists()
    fail_job(job, "the disk was full", exit_code=ExitCode.UNEXPECTED)
    assert found(settings, reads) == (first, JobState.FAILED)
    assert not job.paths.failed.exists()


def test_removed_jobs_and_lost_results_are_not_found(settings: Settings, reads: Path) -> None:
    found(settings, reads)
    (job,) = all_jobs(settings)
    remove_job(job, force=True)
    second, state = found(settings, reads)
    assert state is None
    (job,) = all_jobs(settings)
    run_job(job, settings)
    (job.paths.results / "records.tsv").unlink()
    third, state = found(settings, reads)
    assert (third != second, state) == (True, None)


def test_quarantined_records_deserve_another_try(settings: Settings, reads: Path) -> None:
    first, _ = found(settings, reads)
    (job,) = all_jobs(settings)
    run_job(job, settings)
    report = json.loads(job.paths.run.read_bytes())
    report["counts"]["records"]["quarantined"] = 1
    job.paths.run.write_text(json.dumps(report))
    second, state = found(settings, reads)
    assert (second != first, state) == (True, None)


def test_a_job_that_was_forced_is_found_from_then_on(settings: Settings, reads: Path) -> None:
    found(settings, reads)
    forced = make_job(settings, reads)
    replace_submission(settings.store, forced)
    assert found(settings, reads)[0] == forced.job_id


def test_of_many_at_once_all_get_one_job(settings: Settings, reads: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        results = list(pool.map(found, [settings] * 12, [reads] * 12))
    assert len({job_id for job_id, _ in results}) == 1
    assert sum(state is None for _, state in results) == 1
    assert len(all_jobs(settings)) == 1

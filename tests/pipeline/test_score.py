from __future__ import annotations

import errno
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from job import SAMPLE, embed, finish_files, make_job, vectors_of

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.errors import BundleError, JobError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.pipeline import score
from virnucpro_tasks.pipeline.score import Scorer, frame_scores, job_description, job_head, over_shards, score_shards
from virnucpro_tasks.pipeline.score_in_background import THREAD_NAME
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import Plan, read_plan


@pytest.fixture
def job(settings: Settings) -> Job:
    """A job whose shards, several, are embedded and none is scored."""
    small = replace(settings, shard_tokens=1_500)
    job = make_job(small, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, small)
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join()
    for file in job.paths.kept_scores.iterdir():
        file.unlink()
    return job


@pytest.fixture
def plan(job: Job) -> Plan:
    return read_plan(job.paths.plan)


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the sample had very many frames."""
    monkeypatch.setattr(score, "FRAMES_PER_PROCESS", 1)


def scores_of(job: Job) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in job.paths.kept_scores.iterdir()}


def test_scores_of_a_shard_do_not_depend_on_how_many_are_joined_at_once(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, head = vectors_of(job), load_head(demo_bundle())
    whole = frame_scores(head, vectors)
    monkeypatch.setattr(score, "SCORED_ROWS", 3)
    np.testing.assert_array_equal(frame_scores(head, vectors), whole)


@pytest.mark.usefixtures("several")
def test_scores_do_not_depend_on_how_many_processes_make_them(job: Job, plan: Plan) -> None:
    assert score_shards(job, plan, processes=1) == []
    alone = scores_of(job)
    assert len(alone) == len(plan.to_embed) > 2
    for file in job.paths.kept_scores.iterdir():
        file.unlink()
    assert score_shards(job, plan, processes=2) == []
    assert scores_of(job) == alone


def test_what_is_scored_is_not_scored_again(job: Job, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    assert score_shards(job, plan, processes=1) == []
    monkeypatch.setattr(Scorer, "score", None)
    assert score_shards(job, plan, processes=1) == []


def test_a_small_job_starts_no_process(job: Job, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "ordered_process_map", None)
    assert score_shards(job, plan, processes=16) == []


@pytest.mark.usefixtures("several", "forked")
@pytest.mark.parametrize("processes", [1, 2])
def test_lost_vectors_are_noticed_and_named(job: Job, plan: Plan, processes: int) -> None:
    job.paths.embedding(1).write_bytes(b"")
    assert score_shards(job, plan, processes=processes) == [1]
    assert finish_files(job, processes=processes) == [1]
    assert not job.paths.results.exists() and not job.paths.failed.exists()


@pytest.mark.usefixtures("several", "forked")
def test_a_killed_process_ends_the_job_with_what_to_do(job: Job, plan: Plan) -> None:
    with pytest.raises(JobError, match=r"2 processes .* was killed .*finishing_processes"):
        list(over_shards(die, job, plan, plan.to_embed, processes=2))


def die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("name", ["bundle.json", "head/config.json", "head/model.safetensors"])
def test_a_damaged_bundle_in_the_folder_of_a_job_is_to_be_restored(job: Job, name: str) -> None:
    file = job.paths.bundle / name
    for content in (b"", file.read_bytes()[:-2], None):
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
        with pytest.raises(BundleError, match=r"copy bundle\.json and head/ of that bundle into this folder") as raised:
            job_head(job, job_description(job))
        assert str(job.paths.bundle) in str(raised.value)


def test_a_bundle_that_the_file_system_does_not_give_says_nothing_against_the_job(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(file: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error", str(file))

    description = job_description(job)
    monkeypatch.setattr(Path, "read_bytes", broken)
    with pytest.raises(OSError, match="Input/output error"):
        job_head(job, description)

from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from job import SAMPLE, make_job, vectors_of

from virnucpro_tasks.classify.head import load_head
from virnucpro_tasks.errors import DamagedError, JobError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.pipeline import score
from virnucpro_tasks.pipeline.embed_shard import embed_shard_files
from virnucpro_tasks.pipeline.finish import finish_files
from virnucpro_tasks.pipeline.score import Scorer, VectorsLostError, frame_scores, shard_parts
from virnucpro_tasks.pipeline.score_in_background import THREAD_NAME
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan


@pytest.fixture
def job(settings: Settings) -> Job:
    """A job whose shards, several, are embedded and none is scored."""
    small = replace(settings, shard_tokens=500)
    job = make_job(small, SAMPLE)
    for shard in split_files(job):
        embed_shard_files(job, shard, small)
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join()
    for file in job.paths.kept_scores.iterdir():
        file.unlink()
    return job


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the sample had very many frames."""
    monkeypatch.setattr(score, "FRAMES_A_PROCESS", 1)


def test_scores_of_a_shard_do_not_depend_on_how_many_are_joined_at_once(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, head = vectors_of(job), load_head(demo_bundle())
    whole = frame_scores(head, vectors)
    monkeypatch.setattr(score, "SCORED_ROWS", 3)
    np.testing.assert_array_equal(frame_scores(head, vectors), whole)


@pytest.mark.usefixtures("several")
def test_results_do_not_depend_on_how_many_processes_make_them(job: Job) -> None:
    plan = read_plan(job.paths.plan)
    assert len(plan.shards) > 2
    alone = list(shard_parts(job, plan, processes=1))
    assert list(shard_parts(job, plan, processes=2)) == alone
    assert finish_files(job, processes=2) == []
    assert json.loads(job.paths.run.read_bytes())["counts"]["frames"] == sum(entry.frames for entry in plan.shards)


def test_a_small_job_starts_no_process(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "ordered_process_map", None)
    assert len(list(shard_parts(job, read_plan(job.paths.plan), processes=16))) > 2


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("processes", [1, 2])
def test_lost_vectors_are_noticed_and_named(job: Job, processes: int) -> None:
    job.paths.embedding(1).write_bytes(b"")
    with pytest.raises(VectorsLostError):
        list(shard_parts(job, read_plan(job.paths.plan), processes=processes))
    assert finish_files(job, processes=processes) == [1]
    assert not job.paths.results.exists() and not job.paths.failed.exists()


@pytest.mark.usefixtures("several")
def test_an_error_of_another_process_is_told_as_it_is(job: Job) -> None:
    chunks = job.paths.chunks(1)
    pq.write_table(pq.read_table(chunks).slice(1), chunks)
    with pytest.raises(DamagedError, match=r"000001\.chunks\.parquet is missing or damaged"):
        list(shard_parts(job, read_plan(job.paths.plan), processes=2))


@pytest.mark.usefixtures("several")
def test_a_killed_process_ends_the_job_with_what_to_do(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scorer, "part", die)
    with pytest.raises(JobError, match=r"2 processes .* was killed .*finishing_processes"):
        list(shard_parts(job, read_plan(job.paths.plan), processes=2))


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cli.snapshots import TOKENS, split, unsplit

from virnucpro_tasks.build import own_build
from virnucpro_tasks.jobs.progress import JobState, Progress, Wait
from virnucpro_tasks.keys import coordinator_queue, coordinator_queues, gpu_queue
from virnucpro_tasks.queue.client import RunningTask, WorkerInfo
from virnucpro_tasks.queue.waiting import missing_workers, wait_of

DIGEST = "0123456789abcdef" * 4
BUILD = own_build()
JOB = cast(
    Any,
    SimpleNamespace(
        job_id="job",
        spec=SimpleNamespace(bundle_digest=DIGEST, version="2.0", build=BUILD, named_build="version 2.0"),
        coordinator_queue=coordinator_queue(10, BUILD),
    ),
)

COORDINATOR = WorkerInfo("coordinate-0@a", coordinator_queues(BUILD), ())
LARGE_INPUTS = WorkerInfo("coordinate-1@a", (coordinator_queues(BUILD)[0],), ())
LOADING = WorkerInfo("embed-gpu0@a", (gpu_queue(DIGEST, BUILD),), (), 40)
READY = replace(LOADING, queues=(gpu_queue(DIGEST, BUILD), f"{gpu_queue(DIGEST, BUILD)}.ann.6.job"))
OTHER_BUNDLE = WorkerInfo("embed-gpu1@a", (gpu_queue("f" * 64, BUILD),), ())

QUEUED = unsplit(JobState.QUEUED)
SPLITTING = unsplit(JobState.SPLITTING, shards_done=1)
EMBEDDING = split(JobState.EMBEDDING, shards_done=0, tokens_done=0)
EMBEDDED = split(JobState.EMBEDDING, shards_done=31, tokens_done=TOKENS)
FINISHING = split(JobState.FINISHING, shards_done=31, tokens_done=TOKENS)
DONE = split(JobState.DONE, shards_done=31, tokens_done=TOKENS)


def at_work(worker: WorkerInfo, *arguments: object) -> WorkerInfo:
    return replace(worker, running=(RunningTask(arguments),))


def quiet(worker: WorkerInfo, seconds: float) -> WorkerInfo:
    """The same at a task that has made no progress for so long."""
    (task,) = worker.running
    return replace(worker, running=(replace(task, quiet_seconds=seconds),))


@pytest.mark.parametrize("progress", [QUEUED, SPLITTING, EMBEDDING])
def test_both_kinds_of_workers_are_needed_until_the_vectors_are_there(progress: Progress) -> None:
    neither = missing_workers(JOB, progress, [])
    assert len(neither) == 1
    assert "neither a coordinator nor one with bundle 0123456789ab" in neither[0]
    assert "'virnucpro worker --bundle FOLDER'" in neither[0]
    (no_models,) = missing_workers(JOB, progress, [COORDINATOR])
    assert no_models.startswith("no worker serves bundle 0123456789ab, the one of the job: start one with")
    (others,) = missing_workers(JOB, progress, [COORDINATOR, OTHER_BUNDLE, OTHER_BUNDLE])
    assert "(2 serve other bundles)" in others
    (no_coordinator,) = missing_workers(JOB, progress, [READY])
    assert no_coordinator.startswith("no coordinator is running")
    assert "'virnucpro worker --devices none'" in no_coordinator
    assert missing_workers(JOB, progress, [COORDINATOR, LOADING]) == []


def test_a_coordinator_for_other_sizes_does_not_count() -> None:
    assert len(missing_workers(JOB, QUEUED, [LARGE_INPUTS, READY])) == 1


def test_finishing_needs_a_coordinator_alone_and_a_final_job_nobody() -> None:
    assert missing_workers(JOB, FINISHING, [COORDINATOR]) == []
    assert len(missing_workers(JOB, FINISHING, [READY])) == 1
    assert missing_workers(JOB, EMBEDDED, [COORDINATOR]) == []
    assert missing_workers(JOB, DONE, []) == []


@pytest.mark.parametrize(
    ("progress", "found", "wait"),
    [
        (QUEUED, [], Wait("no coordinator is running")),
        (QUEUED, [COORDINATOR], None),
        (QUEUED, [at_work(COORDINATOR, "another")], Wait("waiting for its turn")),
        (QUEUED, [at_work(COORDINATOR, "another"), COORDINATOR], None),
        (QUEUED, [at_work(COORDINATOR, "job")], None),
        (EMBEDDING, [COORDINATOR, OTHER_BUNDLE], Wait("no worker serves this bundle")),
        (EMBEDDING, [COORDINATOR, LOADING], Wait("loading models", 40)),
        (EMBEDDING, [COORDINATOR, LOADING, READY], None),
        (EMBEDDING, [LOADING, at_work(READY, "another", 3)], Wait("waiting for its turn")),
        (EMBEDDING, [at_work(READY, "another", 3), at_work(READY, "job", 0)], None),
        (FINISHING, [READY], Wait("no coordinator is running")),
        (FINISHING, [at_work(COORDINATOR, "another")], Wait("waiting for its turn")),
        (EMBEDDED, [READY], Wait("no coordinator is running")),
        (EMBEDDED, [at_work(COORDINATOR, "another"), LOADING], Wait("waiting for its turn")),
        (EMBEDDING, [quiet(at_work(READY, "job", 0), 29)], None),
        (EMBEDDING, [quiet(at_work(READY, "job", 0), 160)], Wait("no progress on embed-gpu0@a", 160)),
        (EMBEDDING, [quiet(at_work(READY, "job", 0), 160), at_work(READY, "job", 1)], None),
        (FINISHING, [quiet(at_work(COORDINATOR, "job"), 40)], Wait("no progress on coordinate-0@a", 40)),
        (DONE, [], None),
    ],
)
def test_what_a_job_waits_for(progress: Progress, found: list[WorkerInfo], wait: Wait | None) -> None:
    assert wait_of(JOB, progress, found) == wait

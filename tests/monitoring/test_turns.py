from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from monitoring.looks import open_job

from virnucpro_tasks.jobs.progress import JobState
from virnucpro_tasks.monitoring.look import OpenJob
from virnucpro_tasks.monitoring.turns import Turn, turns


def job(name: str, *, owner: str = "alice", state: JobState = JobState.EMBEDDING, **changed: Any) -> OpenJob:
    """A job of 10 shards with this id, of which five wait unless it is said otherwise."""
    made = open_job(name, **({"running": ()} | changed))
    done = 10 if changed.get("waiting") == 0 else 4
    progress = replace(made.progress, job_id=name, state=state, shards_done=done)
    return replace(made, progress=progress, identity=replace(made.identity, owner=owner))


def shown(*jobs: OpenJob) -> dict[str, str]:
    return {job_id: str(turn) for job_id, turn in turns(jobs).items()}


def test_a_job_that_waits_alone_is_next() -> None:
    assert turns([job("one")]) == {"one": Turn()} and shown(job("one")) == {"one": "next"}


def test_owners_share_by_turns_and_so_do_the_jobs_of_an_owner() -> None:
    jobs = [job("one"), job("two"), job("other", owner="bob")]
    assert shown(*jobs) == {"one": "1 in 4", "two": "1 in 4", "other": "1 in 2"}
    # Queues tell no upper case, nor bundles of each other
    assert shown(job("one"), job("two", owner="Alice")) == {"one": "1 in 2", "two": "1 in 2"}
    assert shown(job("one"), job("two", owner="bob", queue="gpu-other")) == {"one": "next", "two": "next"}


def test_a_lower_number_goes_first_among_the_jobs_of_an_owner_alone() -> None:
    jobs = [job("late", priority=9), job("one"), job("two"), job("other", owner="bob", priority=9)]
    assert shown(*jobs) == {"late": "after 2", "one": "1 in 4", "two": "1 in 4", "other": "1 in 2"}


def test_coordinators_finish_before_they_split_in_the_order_of_submission() -> None:
    jobs = [
        job("first", state=JobState.QUEUED, waiting=0),
        job("second", state=JobState.QUEUED, waiting=0),
        job("done", waiting=0),
        job("small", state=JobState.QUEUED, waiting=0, coordinator_queue="cpu-small"),
    ]
    assert shown(*jobs) == {"done": "next", "first": "after 1", "second": "after 2", "small": "next"}


@pytest.mark.parametrize("state", [JobState.SPLITTING, JobState.FINISHING])
def test_a_job_of_which_nothing_waits_has_no_turn(state: JobState) -> None:
    task = open_job().running
    assert turns([job("split", state=state, waiting=0), job("all running", waiting=None, running=task)]) == {}


def test_nothing_is_known_without_redis() -> None:
    assert turns([job("one", waiting=None), job("two", state=JobState.QUEUED, waiting=None)]) == {}

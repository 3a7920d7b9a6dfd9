from __future__ import annotations

import pytest

from virnucpro_tasks import keys
from virnucpro_tasks.keys import (
    COORDINATOR_QUEUES,
    coordinator_queue,
    coordinator_queues,
    gpu_queue,
    job_queue,
    owner_of,
    priority_lists,
    priority_of,
)

BUILD = "0123456789"
QUEUE = job_queue("0" * 64, BUILD, "Ann B.", 3, "job")


def test_the_table_has_every_name() -> None:
    names = [value for name, value in vars(keys).items() if name.isupper() and str(value).startswith("virnucpro.")]
    assert names
    for name in (*names, keys.UNACKED, "{COORDINATOR_QUEUES}"):
        assert f"| {name}" in (keys.__doc__ or "")


@pytest.mark.parametrize(("size", "queue"), [(0, "cpu-small"), (10_000_000, "cpu-small"), (10_000_001, "cpu")])
def test_a_job_uses_the_queue_with_the_lowest_limit_that_takes_its_input(size: int, queue: str) -> None:
    assert coordinator_queue(size, BUILD) == f"{queue}.{BUILD}"
    assert coordinator_queue(size, "") == queue


def test_some_queue_takes_inputs_of_any_size() -> None:
    assert coordinator_queue(10**15, "") == COORDINATOR_QUEUES[0].name == keys.CPU_QUEUE


def test_owner_and_priority_are_in_the_name_of_a_jobs_queue() -> None:
    assert (owner_of(QUEUE), priority_of(QUEUE)) == ("ann_b_", 3)
    assert (owner_of("cpu"), priority_of("cpu")) == ("cpu", 0)


def test_no_queue_is_of_two_builds_or_of_one_and_of_versions_that_tell_none() -> None:
    of_builds = [{gpu_queue("0" * 64, build), *coordinator_queues(build)} for build in ("", BUILD, BUILD[::-1])]
    assert len(set.union(*of_builds)) == sum(map(len, of_builds))
    # A worker follows the queues of jobs that begin with its own and a dot.
    assert not QUEUE.startswith(f"{gpu_queue('0' * 64, '')}.") and QUEUE.startswith(f"{gpu_queue('0' * 64, BUILD)}.")


def test_a_queue_has_one_list_per_priority_and_the_first_its_own_name() -> None:
    assert priority_lists("cpu")[0] == "cpu"
    assert len(set(priority_lists("cpu"))) == len(keys.PRIORITY_STEPS)

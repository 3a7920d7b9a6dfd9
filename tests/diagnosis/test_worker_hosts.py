from __future__ import annotations

import pytest

from virnucpro_tasks.diagnosis.finding import Status
from virnucpro_tasks.diagnosis.worker_hosts import worker_hosts_outcome
from virnucpro_tasks.queue.process_facts import ProcessFacts
from virnucpro_tasks.system.free_room import FreeRoom

ROOMY, TEMPORARY = FreeRoom("/store", 10**12, 10**9), FreeRoom("/tmp", 10**9)


def facts(host: str, store: FreeRoom = ROOMY, temporary: FreeRoom = TEMPORARY) -> ProcessFacts:
    return ProcessFacts(host=host, store=store, temporary=temporary)


@pytest.mark.parametrize(
    ("told", "status", "words"),
    [
        ({"a": facts("one"), "b": facts("two")}, Status.OK, "the store is there on 2 hosts of workers, 1.0 TB free"),
        ({"a": facts("one"), "b": facts("two", FreeRoom("/s", error="it does not answer"))}, Status.FAILED, "two: the"),
        ({"a": facts("one", FreeRoom("/s", 9 * 10**9))}, Status.WARNING, "one: the store /s has 9.0 GB free"),
        ({"a": facts("one", FreeRoom("/s", 0))}, Status.FAILED, "0 B free"),
        ({"a": facts("one", FreeRoom("/s", 10**12, 5))}, Status.FAILED, "5 inodes free"),
        ({"a": facts("one", FreeRoom("/s"))}, Status.OK, "on 1 host of workers"),
        ({"a": facts("one", temporary=FreeRoom("/tmp", 0))}, Status.WARNING, "temporary folder /tmp has 0 B free"),
        ({"a": facts("one", temporary=FreeRoom("/tmp", error="gone"))}, Status.WARNING, "/tmp: gone"),
        ({"a": ProcessFacts()}, Status.WARNING, "no worker tells"),
        ({}, Status.WARNING, "no worker tells"),
    ],
)
def test_each_host_is_judged_as_this_one(told: dict[str, ProcessFacts], status: Status, words: str) -> None:
    outcome = worker_hosts_outcome(told)
    assert outcome.status is status and words in outcome.detail
    assert bool(outcome.advice) is (status is not Status.OK)


def test_many_workers_of_a_host_are_one_line_and_many_hosts_are_counted() -> None:
    broken = FreeRoom("/s", error="gone")
    assert worker_hosts_outcome({str(n): facts("one", broken) for n in range(9)}).detail.count("gone") == 1
    many = worker_hosts_outcome({str(n): facts(f"host{n}", broken) for n in range(100)})
    assert many.detail.endswith("and 92 more") and len(many.values["stores"]) == 100

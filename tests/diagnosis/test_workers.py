from __future__ import annotations

import pytest

from virnucpro_tasks.diagnosis.finding import Status
from virnucpro_tasks.diagnosis.workers import clocks_outcome, versions_outcome
from virnucpro_tasks.queue.process_facts import ProcessFacts


@pytest.mark.parametrize(
    ("names", "told", "status", "words"),
    [
        (["a"], {"a": ProcessFacts("2.0", "b1")}, Status.OK, "2.0 (build b1) here and in 1 worker"),
        (["a", "b"], {"a": ProcessFacts("2.0", "b1"), "b": ProcessFacts("1.9")}, Status.WARNING, "b has 1.9"),
        (["a"], {"a": ProcessFacts("2.0", "b2")}, Status.WARNING, "a has 2.0 (build b2)"),
        (["a"], {"a": ProcessFacts()}, Status.WARNING, "a has an earlier one, which it does not tell"),
        (["a", "b"], {"a": ProcessFacts("2.0", "b1")}, Status.WARNING, "b did not tell"),
        ([], {}, Status.WARNING, "no worker answers"),
    ],
)
def test_versions(names: list[str], told: dict[str, ProcessFacts], status: Status, words: str) -> None:
    outcome = versions_outcome(ProcessFacts("2.0", "b1"), names, told)
    assert outcome.status is status and words in outcome.detail
    assert bool(outcome.advice) is (status is not Status.OK)


def test_many_workers_of_another_version_are_counted() -> None:
    told = {f"w{number:03}": ProcessFacts("1.9") for number in range(100)}
    assert "and 92 more" in versions_outcome(ProcessFacts("2.0", "b1"), list(told), told).detail


def test_clocks() -> None:
    agreed = clocks_outcome(0.2, {"a": -0.4})
    assert agreed.status is Status.OK and "2 clocks within 0.4 s" in agreed.detail
    wrong = clocks_outcome(-90.0, {"a": 7.0, "b": 0.0})
    assert wrong.status is Status.WARNING
    assert wrong.detail == "this host is 90 s behind Redis, a is 7 s ahead of Redis"
    assert wrong.values == {"host_seconds": -90.0, "worker_seconds": {"a": 7.0, "b": 0.0}}

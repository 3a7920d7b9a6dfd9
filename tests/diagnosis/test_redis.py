from __future__ import annotations

from typing import Any

import pytest

from virnucpro_tasks.diagnosis.finding import Status
from virnucpro_tasks.diagnosis.redis import failing_writes, latency_outcome, memory_outcome

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("info", "status", "words"),
    [
        ({"used_memory": GB, "maxmemory": 2 * GB}, Status.OK, "1.0 GB of 2.0 GB used (maxmemory)"),
        ({"used_memory": 1.7 * GB, "maxmemory": 2 * GB}, Status.WARNING, "1.7 GB of 2.0 GB"),
        ({"used_memory": 2 * GB, "maxmemory": 2 * GB}, Status.FAILED, "2.0 GB of 2.0 GB"),
        ({"used_memory": GB, "maxmemory": 0, "total_system_memory": 8 * GB}, Status.OK, "no maxmemory is set"),
        ({"used_memory": 7.9 * GB, "total_system_memory": 8 * GB}, Status.FAILED, "its machine"),
        ({}, Status.OK, "it tells no limit"),
    ],
)
def test_memory(info: dict[str, Any], status: Status, words: str) -> None:
    outcome = memory_outcome(info)
    assert outcome.status is status and words in outcome.detail
    assert bool(outcome.advice) is (status is not Status.OK)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({}, ""),
        ({"aof_enabled": 1, "aof_last_write_status": "ok", "rdb_last_bgsave_status": "err"}, ""),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, "append-only file"),
        ({"aof_enabled": 0, "rdb_last_bgsave_status": "err"}, "could not save"),
        ({"loading": 1}, "still loading"),
    ],
)
def test_a_redis_that_takes_no_writes(info: dict[str, Any], words: str) -> None:
    found = failing_writes(info)
    assert words in found and bool(found) is bool(words)


def test_slow_answers_are_worth_a_word() -> None:
    assert latency_outcome(0.001).status is Status.OK
    slow = latency_outcome(0.1)
    assert slow.status is Status.WARNING and "100.0 ms" in slow.detail and slow.advice

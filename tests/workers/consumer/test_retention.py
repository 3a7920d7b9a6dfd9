from __future__ import annotations

import logging
import os
import threading
from dataclasses import replace
from typing import Any

import pytest
from job import SAMPLE, make_job
from virnucpro_workers.consumer.retention import is_due, remove_old_jobs

from virnucpro_tasks.jobs.job import cancel_job
from virnucpro_tasks.keys import RETENTION, STORE_FAILURES
from virnucpro_tasks.settings import Settings


class FakeRedis:
    """Keeps what is set if it is absent, and remembers the fields that are deleted."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.deleted: list[tuple[str, str]] = []

    def set(self, name: str, value: str, *, nx: bool, px: int) -> bool | None:
        assert nx and px == 3_600_000
        return None if name in self.kept else bool(self.kept.setdefault(name, value))

    def pipeline(self, **_: Any) -> FakeRedis:
        return self

    def __enter__(self) -> FakeRedis:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def hdel(self, name: str, field: str) -> None:
        self.deleted.append((name, field))

    def execute(self) -> None:
        pass


def test_one_coordinator_has_a_round() -> None:
    client = FakeRedis()
    assert is_due(client) and not is_due(client)
    assert list(client.kept) == [RETENTION]


def test_old_jobs_of_all_owners_are_removed_and_nothing_without_the_setting(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    old = make_job(replace(settings, owner="somebody"), SAMPLE)
    running, young = make_job(settings, SAMPLE), make_job(settings, SAMPLE)
    cancel_job(old)
    cancel_job(young)
    os.utime(old.paths.cancelled, (1, 1))
    client, stopping = FakeRedis(), threading.Event()
    assert remove_old_jobs(client, settings, stopping) == 0
    kept = replace(settings, retention_days=30.0)
    stopping.set()
    assert remove_old_jobs(client, kept, stopping) == 0
    stopping.clear()
    with caplog.at_level(logging.INFO):
        assert remove_old_jobs(client, kept, stopping) == 1
    assert f"job={old.job_id}" in caplog.text and (STORE_FAILURES, old.job_id) in client.deleted
    assert running.paths.job.exists() and young.paths.job.exists() and not old.paths.root.exists()

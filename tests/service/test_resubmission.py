"""Submitting again, on real workers: nothing is computed twice, and cancelling stops what runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from service.deployment import SAMPLE, Deployment, attempts_begun, comparable, wait_until

pytestmark = pytest.mark.service

MANY_SHARDS = ("--expected-length", "150", "--shard-tokens", "160", "--allow-mismatch")
"""55 shards: enough to be cancelled half way."""


def attempts(serving: Deployment, job_id: str) -> int:
    """How many attempts at shards were begun."""
    return sum(map(attempts_begun, (serving.store / "jobs" / job_id / "attempts").glob("[0-9]*.jsonl")))


def test_a_finished_and_a_cancelled_job_are_found(serving: Deployment, tmp_path: Path) -> None:
    # Given a job that was cancelled half way
    job_id = serving.run("submit", str(SAMPLE), *MANY_SHARDS, "--force-new").strip()
    folder = serving.store / "jobs" / job_id
    wait_until(lambda: len(list((folder / "embeddings").glob("[0-9]*"))) >= 5)
    # When the same is submitted while it runs
    assert serving.json("submit", str(SAMPLE), *MANY_SHARDS)["job_id"] == job_id
    serving.run("cancel", job_id)
    assert serving.json("status", job_id)["state"] == "cancelled"
    # And once it is cancelled
    again = serving.messages("submit", str(SAMPLE), *MANY_SHARDS, "--output", str(tmp_path / "out"))
    assert f"job {job_id} was cancelled, and goes on" in again
    # Then it went on from there: no shard was embedded twice
    shards = serving.json("status", job_id)["shards_total"]
    assert shards <= attempts(serving, job_id) <= shards + 2
    # And what is finished is found without any computing
    done = attempts(serving, job_id)
    again = serving.messages("submit", str(SAMPLE), *MANY_SHARDS, "--output", str(tmp_path / "again"))
    assert f"job {job_id} has its results" in again
    assert attempts(serving, job_id) == done
    assert comparable(tmp_path / "out") == comparable(tmp_path / "again")
    # Unless that is asked for
    other = serving.json("submit", str(SAMPLE), *MANY_SHARDS, "--force-new")["job_id"]
    assert other != job_id
    serving.run("cancel", other)


def test_cancelling_stops_new_shards_at_once(serving: Deployment) -> None:
    job_id = serving.run("submit", str(SAMPLE), *MANY_SHARDS, "--force-new").strip()
    folder = serving.store / "jobs" / job_id
    wait_until((folder / "plan.json").exists)
    serving.run("cancel", job_id)
    # What ran is over when no worker is at it; nothing begins after that.
    wait_until(lambda: serving.json("status", job_id, "--no-workers")["state"] == "cancelled")
    started = attempts(serving, job_id)
    serving.run("submit", str(SAMPLE), *MANY_SHARDS, "--force-new", "--wait")
    assert attempts(serving, job_id) <= started + 1
    assert started < serving.json("status", job_id, "--no-workers")["shards_total"]

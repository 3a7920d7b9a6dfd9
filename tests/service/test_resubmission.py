"""Submitting again, on real workers: nothing is computed twice, and cancelling stops what runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from service.deployment import SAMPLE, Deployment, comparable, wait_until

pytestmark = pytest.mark.service


@pytest.fixture
def client(serving: Deployment) -> Deployment:
    """Jobs of very many shards for the workers that are there."""
    return replace(serving, settings={"VIRNUCPRO_SHARD_TOKENS": "1"})


def attempts(client: Deployment, job_id: str) -> int:
    """How many attempts at shards were begun; those that cancelling stopped are noted as handed back."""
    files = (client.store / "jobs" / job_id / "attempts").glob("[0-9]*.jsonl")
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return sum("handed_back" not in line for line in lines)


def test_a_finished_and_a_cancelled_job_are_found(client: Deployment, tmp_path: Path) -> None:
    # Given a job that was cancelled half way
    job_id = client.run("submit", str(SAMPLE), "--force-new").strip()
    folder = client.store / "jobs" / job_id
    wait_until(lambda: len(list((folder / "embeddings").glob("[0-9]*"))) >= 5)
    # When the same is submitted while it runs
    assert client.json("submit", str(SAMPLE))["job_id"] == job_id
    client.run("cancel", job_id)
    assert client.json("status", job_id)["state"] == "cancelled"
    # And once it is cancelled
    again = client.messages("submit", str(SAMPLE), "--output", str(tmp_path / "out"))
    assert f"job {job_id} was cancelled, and goes on" in again
    # Then it went on from there: no shard was embedded twice
    shards = client.json("status", job_id)["shards_total"]
    assert shards <= attempts(client, job_id) <= shards + 2
    # And what is finished is found without any computing
    done = attempts(client, job_id)
    again = client.messages("submit", str(SAMPLE), "--output", str(tmp_path / "again"))
    assert f"job {job_id} has its results" in again
    assert attempts(client, job_id) == done
    assert comparable(tmp_path / "out") == comparable(tmp_path / "again")
    # Unless that is asked for
    other = client.json("submit", str(SAMPLE), "--force-new")["job_id"]
    assert other != job_id
    client.run("cancel", other)


def test_cancelling_stops_new_shards_at_once(client: Deployment) -> None:
    job_id = client.run("submit", str(SAMPLE), "--force-new").strip()
    folder = client.store / "jobs" / job_id
    wait_until((folder / "plan.json").exists)
    client.run("cancel", job_id)
    # What ran is over when no worker is at it; nothing begins after that.
    wait_until(lambda: client.json("status", job_id, "--no-workers")["state"] == "cancelled")
    started = attempts(client, job_id)
    client.run("submit", str(SAMPLE), "--force-new", "--wait")
    assert attempts(client, job_id) <= started + 1
    assert started < client.json("status", job_id, "--no-workers")["shards_total"]

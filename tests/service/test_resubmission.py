"""Submitting again, on real workers: nothing is computed twice, and cancelling stops what runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from service.deployment import Deployment, comparable, wait_until

from virnucpro_tasks.broker import EmbeddedBroker

pytestmark = pytest.mark.service

SAMPLE = str(Path(__file__).resolve().parents[2] / "examples" / "sample.fasta")


@pytest.fixture
def deployment(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Deployment]:
    started = Deployment(tmp_path, broker.url, settings={"VIRNUCPRO_SHARD_TOKENS": "1"})
    yield started
    started.stop()


def attempts(deployment: Deployment, job_id: str) -> int:
    files = (deployment.store / "jobs" / job_id / "attempts").glob("*.jsonl")
    return sum(len(file.read_text().splitlines()) for file in files)


def test_a_finished_and_a_cancelled_job_are_found(deployment: Deployment, tmp_path: Path) -> None:
    # Given a job that was cancelled half way
    deployment.start_workers("cpu")
    job_id = deployment.run("submit", SAMPLE).strip()
    folder = deployment.store / "jobs" / job_id
    wait_until(lambda: len(list((folder / "embeddings").glob("[0-9]*"))) >= 5)
    # When the same is submitted while it runs
    assert deployment.json("submit", SAMPLE)["job_id"] == job_id
    deployment.run("cancel", job_id)
    assert deployment.json("status", job_id)["state"] == "cancelled"
    # And once it is cancelled
    again = deployment.messages("submit", SAMPLE, "--output", str(tmp_path / "out"))
    assert f"job {job_id} was cancelled, and goes on" in again
    # Then it went on from there: no shard was embedded twice
    shards = deployment.json("status", job_id)["shards_total"]
    assert shards <= attempts(deployment, job_id) <= shards + 2
    # And what is finished is found without any computing
    done = attempts(deployment, job_id)
    again = deployment.messages("submit", SAMPLE, "--output", str(tmp_path / "again"))
    assert f"job {job_id} has its results" in again
    assert attempts(deployment, job_id) == done
    assert comparable(tmp_path / "out") == comparable(tmp_path / "again")
    # Unless that is asked for
    assert deployment.json("submit", SAMPLE, "--force-new")["job_id"] != job_id


def test_cancelling_stops_new_shards_at_once(deployment: Deployment) -> None:
    deployment.start_workers("cpu")
    job_id = deployment.run("submit", SAMPLE).strip()
    folder = deployment.store / "jobs" / job_id
    wait_until((folder / "plan.json").exists)
    deployment.run("cancel", job_id)
    # What ran is over when no worker is at it; nothing begins after that.
    wait_until(lambda: deployment.json("status", job_id, "--no-workers")["state"] == "cancelled")
    started = attempts(deployment, job_id)
    deployment.run("submit", SAMPLE, "--force-new", "--wait")
    assert attempts(deployment, job_id) <= started + 1
    assert started < deployment.json("status", job_id, "--no-workers")["shards_total"]

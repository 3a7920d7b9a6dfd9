"""Nobody waits for a giant job, on real workers; workers that come late serve the jobs that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from service.deployment import Deployment, wait_until

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.keys import LIVE_QUEUES, waiting_gauge
from virnucpro_tasks.models.locate import demo_bundle

pytestmark = pytest.mark.service

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sample.fasta"
COPIES = 12
"""Of the sample, with one record piece a shard: well over a thousand shards."""


@pytest.fixture
def deployment(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Deployment]:
    started = Deployment(tmp_path, broker.url)
    yield started
    started.stop()


@pytest.fixture
def client(broker: EmbeddedBroker) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(broker.socket))


def submit_giant(deployment: Deployment, *, owner: str) -> str:
    giant = deployment.folder / "giant.fasta"
    giant.write_text("".join(SAMPLE.read_text().replace(">", f">copy{number}_") for number in range(COPIES)))
    return deployment.run("submit", str(giant), "--shard-tokens", "1", "--force-new", owner=owner).strip()


def embedded(deployment: Deployment, job_id: str) -> int:
    return len(list((deployment.store / "jobs" / job_id / "embeddings").glob("[0-9]*")))


def test_a_tiny_job_does_not_wait_for_a_giant_one_of_anybody(deployment: Deployment, client: redis.Redis) -> None:
    # Given a worker that is at a job of hundreds of shards, all of which wait
    deployment.start_workers("cpu")
    giant = submit_giant(deployment, owner="a")
    wait_until(lambda: deployment.json("status", giant, "--no-workers")["shards_total"])
    wait_until(lambda: embedded(deployment, giant))
    wait_until(lambda: client.llen(waiting_gauge(demo_bundle().digest)) > 100)
    # When others submit what takes one shard
    for owner in ("b", "a"):
        deployment.run("submit", str(SAMPLE), "--force-new", "--wait", owner=owner)
        # Then it is done long before the giant job
        progress = deployment.json("status", giant, "--no-workers")
        assert progress["state"] == "embedding"
        assert progress["shards_done"] < progress["shards_total"] / 2
    # And cancelling drops what waits at once
    assert "waiting shards were dropped" in deployment.messages("cancel", giant)
    wait_until(lambda: client.llen(waiting_gauge(demo_bundle().digest)) == 0)
    # And the queue is forgotten in the end
    wait_until(lambda: client.zcard(LIVE_QUEUES) == 0)


def test_two_users_share_a_worker_evenly_and_a_late_one_serves_both(deployment: Deployment) -> None:
    jobs = [submit_giant(deployment, owner=owner) for owner in ("a", "b")]
    deployment.start_workers("none")
    for job in jobs:
        wait_until(lambda job=job: deployment.json("status", job, "--no-workers")["shards_total"])
    # A worker that was not there when their queues were announced
    deployment.start_workers("cpu")
    wait_until(lambda: sum(embedded(deployment, job) for job in jobs) > 60)
    counts = [embedded(deployment, job) for job in jobs]
    for job in jobs:
        deployment.run("cancel", job)
    assert abs(counts[0] - counts[1]) <= 4, counts

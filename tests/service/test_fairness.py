"""Nobody waits for a giant job, on real workers; workers that come late serve the jobs that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from service.deployment import SAMPLE, Deployment, wait_until

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.build import own_build
from virnucpro_tasks.keys import LIVE_QUEUES, waiting_gauge
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings

pytestmark = pytest.mark.service

MANY_SHARDS = ("--expected-length", "150", "--shard-tokens", "1", "--allow-mismatch")
COPIES = 6
SHARDS_A_COPY = 128
"""Of the sample, with MANY_SHARDS."""


def submit_giant(deployment: Deployment, folder: Path, *, owner: str, copies: int, priority: int = 6) -> str:
    """A job on so many copies of the sample."""
    # A file of its own: it is hard-linked into the store, and must not change.
    giant = folder / f"giant-{owner}-{copies}.fasta"
    giant.write_text("".join(SAMPLE.read_text().replace(">", f">copy{number}_") for number in range(copies)))
    flags = [*MANY_SHARDS, "--force-new", "--priority", str(priority)]
    return deployment.run("submit", str(giant), *flags, owner=owner).strip()


def embedded(deployment: Deployment, job_id: str) -> int:
    return len(list((deployment.store / "jobs" / job_id / "embeddings").glob("[0-9]*")))


def test_a_tiny_job_does_not_wait_for_a_giant_one_of_anybody(serving: Deployment, tmp_path: Path) -> None:
    # Given a worker that is at a job of hundreds of shards, which wait
    client: redis.Redis = make_app(Settings(broker_url=serving.broker_url)).backend.client
    giant = submit_giant(serving, tmp_path, owner="a", copies=COPIES)
    wait_until(lambda: embedded(serving, giant))
    wait_until(lambda: client.llen(waiting_gauge(demo_bundle().digest, own_build())) > 100)
    # When others submit what takes one shard
    for owner in ("b", "a"):
        serving.run("submit", str(SAMPLE), "--force-new", "--wait", owner=owner)
        # Then it is done long before the giant job
        assert embedded(serving, giant) < COPIES * SHARDS_A_COPY / 2
    # And cancelling drops what waits at once
    assert "waiting shards were dropped" in serving.messages("cancel", giant)
    wait_until(lambda: client.llen(waiting_gauge(demo_bundle().digest, own_build())) == 0)
    # And the queue is forgotten in the end
    wait_until(lambda: client.zcard(LIVE_QUEUES) == 0)


@dataclass(frozen=True)
class Shared:
    """A worker that began when two users' jobs were waiting, and how many shards it had done of each soon after."""

    deployment: Deployment
    counts: list[int]


@pytest.fixture(scope="module")
def late(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("late")
    with EmbeddedBroker(server=server) as broker, Deployment(folder, broker.url) as deployment:
        jobs = [submit_giant(deployment, folder, owner=owner, copies=1) for owner in ("a", "b")]
        deployment.start_workers("none")
        for job in jobs:
            wait_until(lambda job=job: deployment.json("status", job, "--no-workers")["shards_total"])
        # A worker that was not there when their queues were announced
        deployment.start_workers("cpu", "--coordinators", "0", "--name", "late")
        wait_until(lambda: sum(embedded(deployment, job) for job in jobs) > 60)
        counts = [embedded(deployment, job) for job in jobs]
        for job in jobs:
            deployment.run("cancel", job)
        yield Shared(deployment, counts)


def test_two_users_share_a_worker_evenly_and_a_late_one_serves_both(late: Shared) -> None:
    assert abs(late.counts[0] - late.counts[1]) <= 4, late.counts


def test_a_priority_is_for_the_jobs_of_its_owner_only(late: Shared, tmp_path: Path) -> None:
    # Given a giant job of the highest priority
    deployment = late.deployment
    urgent = submit_giant(deployment, tmp_path, owner="a", copies=2, priority=0)
    wait_until(lambda: embedded(deployment, urgent))
    # When somebody else submits one of the lowest, and the same user another one
    other = submit_giant(deployment, tmp_path, owner="b", copies=1, priority=9)
    later = submit_giant(deployment, tmp_path, owner="a", copies=1)
    wait_until(lambda: embedded(deployment, other) > 20)
    # Then the other one is served all the same, and the own one waits
    counts = [embedded(deployment, job) for job in (urgent, other, later)]
    for job in (urgent, other, later):
        deployment.run("cancel", job)
    assert counts[2] == 0 or counts[0] == 2 * SHARDS_A_COPY, counts

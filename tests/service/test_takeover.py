"""Who has a shard: one worker for as long as it takes, another when the first is gone, never two that both go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from service.deployment import SAMPLE, Deployment, comparable, slow_shards, wait_until

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.recovery.events import Began, HandedBack, read_events
from virnucpro_tasks.recovery.history import History

pytestmark = [pytest.mark.service, pytest.mark.slow]

LEASE_SECONDS = 1.0
SETTINGS = {"VIRNUCPRO_LEASE_SECONDS": str(LEASE_SECONDS)}


@pytest.fixture(scope="module")
def own_broker(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("redis"), server=server) as started:
        yield started


@pytest.fixture(scope="module")
def pair(own_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Two workers that several tests share; how long a shard takes them is in a file."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "slow").write_text("0")
    settings = SETTINGS | slow_shards(folder / "slow")
    with Deployment(folder, own_broker.url, settings=settings) as started:
        started.start_workers("cpu,cpu")
        yield started


def slow(pair: Deployment, seconds: float) -> None:
    """Shards that are begun from now on take so long."""
    (pair.folder / "slow").write_text(str(seconds))


def submitted(deployment: Deployment) -> tuple[str, Path]:
    """A job of one shard, and the file of its attempts."""
    job_id = deployment.run("submit", str(SAMPLE), "--force-new").strip()
    return job_id, deployment.store / "jobs" / job_id / "attempts" / "000000.jsonl"


def starts(attempts: Path) -> list[Began]:
    return [event for event in read_events(attempts) if isinstance(event, Began)]


def results_of(deployment: Deployment, job_id: str) -> dict[str, bytes]:
    deployment.run("watch", job_id)
    deployment.run("results", job_id, "--output", str(deployment.folder / job_id))
    return comparable(deployment.folder / job_id)


def test_a_shard_of_a_dozen_leases_runs_once(pair: Deployment, quiet: dict[str, bytes]) -> None:
    slow(pair, 12 * LEASE_SECONDS)
    job_id, attempts = submitted(pair)
    wait_until(lambda: starts(attempts))
    # Meanwhile it is said who has it, and for how long it has stood still
    (task,) = pair.json("status", job_id)["running_tasks"]
    assert task["worker"].startswith("embed-cpu") and (task["stage"], task["shard"]) == ("embedding", 0)
    assert 0 <= task["quiet_seconds"] < task["seconds"] + 1 < 300
    assert results_of(pair, job_id) == quiet
    assert len(starts(attempts)) == 1


def test_a_shard_runs_once_though_redis_is_restarted_meanwhile(
    pair: Deployment, own_broker: EmbeddedBroker, quiet: dict[str, bytes]
) -> None:
    slow(pair, 12 * LEASE_SECONDS)
    job_id, attempts = submitted(pair)
    wait_until(lambda: starts(attempts))
    own_broker.restart()
    assert results_of(pair, job_id) == quiet
    assert len(starts(attempts)) == 1


def test_a_worker_that_was_stopped_leaves_its_shard_to_who_has_it_now(
    pair: Deployment, quiet: dict[str, bytes]
) -> None:
    # Given a worker that stands still in the middle of a shard, until another one has begun it
    slow(pair, 5 * LEASE_SECONDS)
    job_id, attempts = submitted(pair)
    wait_until(lambda: starts(attempts))
    (first,) = starts(attempts)
    stopped = [psutil.Process(first.pid), psutil.Process(first.parent)]
    for process in stopped:
        process.suspend()
    wait_until(lambda: len(starts(attempts)) == 2)
    # When it goes on
    for process in stopped:
        process.resume()
    # Then it notices, says so and stops, and the results are those of a quiet run
    wait_until(lambda: "which has its message now" in pair.worker_log())
    assert results_of(pair, job_id) == quiet
    events = read_events(attempts)
    assert [event.pid for event in events if isinstance(event, HandedBack)] == [first.pid]
    assert len(starts(attempts)) == 2
    # The one that was handed back and the one that passed say nothing against the records
    assert History.of(events).tries("whole") == 0
    # And it takes work again, when the other one is gone
    (second,) = (event for event in starts(attempts) if event.pid != first.pid)
    os.kill(second.parent, signal.SIGSTOP)
    os.kill(second.pid, signal.SIGSTOP)
    try:
        job_id, attempts = submitted(pair)
        assert results_of(pair, job_id) == quiet
        assert starts(attempts)[-1].pid == first.pid
    finally:
        os.kill(second.pid, signal.SIGCONT)
        os.kill(second.parent, signal.SIGCONT)

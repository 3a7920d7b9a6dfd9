"""Jobs of which Redis has lost the messages end by themselves, without any client that waits for them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import redis
from service.deployment import (
    COMMAND,
    MANY_SHARDS,
    PATIENCE_SECONDS,
    SAMPLE,
    Deployment,
    attempts_begun,
    comparable,
    slow_shards,
    wait_until,
)

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.keys import UNACKED, coordinator_queue, priority_lists

pytestmark = [pytest.mark.service, pytest.mark.slow]

FLAGS = MANY_SHARDS

SETTINGS = {"VIRNUCPRO_LEASE_SECONDS": "2", "VIRNUCPRO_WATCH_SECONDS": "1"}


def client_of(broker: EmbeddedBroker) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(broker.socket))


def emptied(broker: EmbeddedBroker) -> None:
    client_of(broker).flushall()


def restarted_with_nothing(broker: EmbeddedBroker) -> None:
    """As a Redis without an append-only file is after kill -9."""
    assert broker._data is not None
    shutil.rmtree(broker._data)
    broker.restart()


def without_callback(broker: EmbeddedBroker) -> None:
    client_of(broker).delete(*priority_lists(coordinator_queue(0)))


def attempts_of_finished(job: Path) -> dict[str, int]:
    return attempts_at(job, [file.stem for file in (job / "embeddings").glob("[0-9]*")])


def attempts_at(job: Path, shards: Iterable[str]) -> dict[str, int]:
    return {name: attempts_begun(job / "attempts" / f"{name}.jsonl") for name in shards}


def start_embedding_only(deployment: Deployment) -> None:
    with (deployment.folder / "workers.log").open("ab") as log:
        flags = ["--devices", "cpu", "--coordinators", "0", "--name", "embedding"]
        deployment.supervisors.append(
            subprocess.Popen([*COMMAND, "worker", *flags], env=deployment.environment, stdout=log, stderr=log)
        )


def assert_it_ends(deployment: Deployment, job: Path, quiet: dict[str, bytes]) -> None:
    wait_until(lambda: (job / "run.json").exists())
    assert comparable(job / "results") == quiet
    assert "has no message in Redis" in (deployment.folder / "workers.log").read_text()


def test_a_job_that_was_lost_before_it_was_split_is_done(
    deployment: Deployment, broker: EmbeddedBroker, quiet: dict[str, bytes]
) -> None:
    job = deployment.store / "jobs" / deployment.run("submit", str(SAMPLE), *FLAGS).strip()
    emptied(broker)
    deployment.start_workers("cpu")
    assert_it_ends(deployment, job, quiet)


@pytest.mark.parametrize("harm", [emptied, restarted_with_nothing], ids=lambda harm: harm.__name__)
def test_a_job_that_was_lost_while_it_was_embedded_goes_on(
    deployment: Deployment, broker: EmbeddedBroker, quiet: dict[str, bytes], harm: Callable[[EmbeddedBroker], None]
) -> None:
    # Slow enough that it is lost before it is done
    deployment.settings |= slow_shards(0.05)
    deployment.start_workers("cpu")
    job = deployment.store / "jobs" / deployment.run("submit", str(SAMPLE), *FLAGS).strip()
    wait_until(lambda: len(list((job / "embeddings").glob("[0-9]*"))) > 10)
    harm(broker)
    finished = attempts_of_finished(job)
    assert_it_ends(deployment, job, quiet)
    # No shard that was finished is computed again.
    assert attempts_at(job, finished) == finished


@pytest.mark.parametrize("harm", [emptied, without_callback], ids=lambda harm: harm.__name__)
def test_a_job_that_is_complete_but_was_never_finished_is_finished(
    deployment: Deployment, broker: EmbeddedBroker, quiet: dict[str, bytes], harm: Callable[[EmbeddedBroker], None]
) -> None:
    # Given a job that is split, and then nobody who could finish it
    coordinator = deployment.start_workers("none")
    job = deployment.store / "jobs" / deployment.run("submit", str(SAMPLE), *FLAGS).strip()
    wait_until(lambda: (job / "plan.json").exists())
    coordinator.terminate()
    coordinator.wait(PATIENCE_SECONDS)
    start_embedding_only(deployment)
    waiting = priority_lists(coordinator_queue(0))
    client = client_of(broker)
    wait_until(lambda: any(client.llen(name) for name in waiting) and not client.hlen(UNACKED))
    finished = attempts_of_finished(job)
    # When the message that says it is complete is lost
    harm(broker)
    # Then a coordinator finds out
    deployment.start_workers("none")
    assert_it_ends(deployment, job, quiet)
    assert attempts_at(job, finished) == finished

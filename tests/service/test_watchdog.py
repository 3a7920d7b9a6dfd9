"""Jobs of which Redis has lost the messages end by themselves, without any client that waits for them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import redis
from service.deployment import (
    MANY_SHARDS,
    PATIENCE_SECONDS,
    SAMPLE,
    Deployment,
    attempts_begun,
    comparable,
    remembered_packs,
    slow_shards,
    wait_until,
)

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.build import own_build
from virnucpro_tasks.keys import UNACKED, coordinator_queue, priority_lists

pytestmark = [pytest.mark.service, pytest.mark.slow]

FLAGS = MANY_SHARDS

SETTINGS = {"VIRNUCPRO_LEASE_SECONDS": "2", "VIRNUCPRO_WATCH_SECONDS": "1"}


@pytest.fixture(scope="module")
def broker(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("redis"), server=server) as started:
        yield started


@pytest.fixture(scope="module")
def embedding(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker that only embeds, for all of these tests; how long a shard takes it is in a file."""
    folder = tmp_path_factory.mktemp("deployment")
    slow(folder, 0)
    settings = SETTINGS | remembered_packs() | slow_shards(folder / "slow")
    with Deployment(folder, broker.url, settings=settings) as started:
        started.start_workers("cpu", "--coordinators", "0", "--name", "embedding")
        yield started


@pytest.fixture
def deployment(embedding: Deployment) -> Iterator[Deployment]:
    """That worker, and no coordinator yet."""
    embedding.log.write_bytes(b"")
    yield embedding
    slow(embedding.folder, 0)
    for supervisor in embedding.supervisors[1:]:
        supervisor.terminate()
    for supervisor in embedding.supervisors[1:]:
        supervisor.wait(PATIENCE_SECONDS)
    del embedding.supervisors[1:]


def slow(folder: Path, seconds: float) -> None:
    """Shards that are begun from now on take so much longer."""
    (folder / "slow").write_text(str(seconds))


def submitted(deployment: Deployment) -> Path:
    return deployment.store / "jobs" / deployment.run("submit", str(SAMPLE), *FLAGS, "--force-new").strip()


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
    client_of(broker).delete(*priority_lists(coordinator_queue(0, own_build())))


def attempts_of_finished(job: Path) -> dict[str, int]:
    return attempts_at(job, [file.stem for file in (job / "embeddings").glob("[0-9]*")])


def attempts_at(job: Path, shards: Iterable[str]) -> dict[str, int]:
    return {name: attempts_begun(job / "attempts" / f"{name}.jsonl") for name in shards}


def assert_it_ends(deployment: Deployment, job: Path, quiet: dict[str, bytes]) -> None:
    wait_until(lambda: (job / "run.json").exists())
    assert comparable(job / "results") == quiet
    assert "has no message in Redis" in deployment.log.read_text()


def test_a_job_that_was_lost_before_it_was_split_is_done(
    deployment: Deployment, broker: EmbeddedBroker, quiet: dict[str, bytes]
) -> None:
    job = submitted(deployment)
    emptied(broker)
    deployment.start_workers("none")
    assert_it_ends(deployment, job, quiet)


@pytest.mark.parametrize("harm", [emptied, restarted_with_nothing], ids=lambda harm: harm.__name__)
def test_a_job_that_was_lost_while_it_was_embedded_goes_on(
    deployment: Deployment, broker: EmbeddedBroker, quiet: dict[str, bytes], harm: Callable[[EmbeddedBroker], None]
) -> None:
    # Slow enough that it is lost before it is done
    slow(deployment.folder, 0.05)
    deployment.start_workers("none")
    job = submitted(deployment)
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
    # Given a job that is split and will not be embedded for a minute, and then nobody who could finish it
    slow(deployment.folder, 1)
    coordinator = deployment.start_workers("none")
    job = submitted(deployment)
    wait_until(lambda: (job / "plan.json").exists())
    coordinator.terminate()
    coordinator.wait(PATIENCE_SECONDS)
    assert len(list((job / "embeddings").glob("[0-9]*"))) < len(list((job / "shards").glob("*.frames.parquet")))
    slow(deployment.folder, 0)
    waiting = priority_lists(coordinator_queue(0, own_build()))
    client = client_of(broker)
    wait_until(lambda: any(client.llen(name) for name in waiting) and not client.hlen(UNACKED))
    finished = attempts_of_finished(job)
    # When the message that says it is complete is lost
    harm(broker)
    # Then a coordinator finds out
    deployment.start_workers("none")
    assert_it_ends(deployment, job, quiet)
    assert attempts_at(job, finished) == finished

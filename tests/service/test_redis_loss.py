"""Redis killed, restarted and emptied in every phase of a job, with a client that waits or comes back with `resume`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from virnucpro_tasks.jobs.job import job_ids

pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture(scope="module")
def beside() -> Iterator[ThreadPoolExecutor]:
    """A thread that does harm while a client waits; a Redis that it has started ends with it."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def own_broker(
    beside: ThreadPoolExecutor, server: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("redis"), server=server) as started:
        yield started


@pytest.fixture(scope="module")
def deployment(own_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Workers that go through all of it."""
    # Slow enough that harm is done half way
    settings = {"VIRNUCPRO_LEASE_SECONDS": "2"} | remembered_packs() | slow_shards(0.03)
    with Deployment(tmp_path_factory.mktemp("deployment"), own_broker.url, settings=settings) as started:
        started.start_workers("cpu")
        yield started


@pytest.fixture(scope="module")
def quiet(deployment: Deployment) -> dict[str, bytes]:
    out = deployment.folder / "quiet"
    deployment.run("submit", str(SAMPLE), *MANY_SHARDS, "--output", str(out))
    return comparable(out)


def restart(broker: EmbeddedBroker) -> None:
    broker.restart()


def outage(broker: EmbeddedBroker) -> None:
    os.kill(broker.pid, signal.SIGKILL)
    wait_until(lambda: not broker.socket.exists() or _silent(broker))
    broker.restart()


def _silent(broker: EmbeddedBroker) -> bool:
    try:
        redis.Redis(unix_socket_path=str(broker.socket)).ping()
    except redis.RedisError:
        return True
    return False


def emptied(broker: EmbeddedBroker) -> None:
    redis.Redis(unix_socket_path=str(broker.socket)).flushall()


PHASES: dict[str, Callable[[Path], bool]] = {
    "splitting": lambda job: any((job / "shards").glob("[0-9]*")),
    "embedding": lambda job: len(list((job / "embeddings").glob("[0-9]*"))) > 10,
    "finishing": lambda job: len(list((job / "embeddings").glob("[0-9]*"))) > 30 or (job / "run.json").exists(),
}
"""When the phase has begun; the sample makes 33 shards."""


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("harm", [restart, outage, emptied], ids=lambda harm: harm.__name__)
def test_a_waiting_client_gets_the_same_results(
    deployment: Deployment,
    own_broker: EmbeddedBroker,
    beside: ThreadPoolExecutor,
    quiet: dict[str, bytes],
    tmp_path: Path,
    phase: str,
    harm: Callable[[EmbeddedBroker], None],
) -> None:
    before = set(job_ids(deployment.store))

    def harmed() -> tuple[Path, dict[str, int]]:
        """The job, and the attempts at the shards that were finished when the phase had begun and the harm was done."""
        (job_id,) = wait_until(lambda: set(job_ids(deployment.store)) - before)
        job = deployment.store / "jobs" / job_id
        wait_until(lambda: PHASES[phase](job))
        finished = {file.name for file in (job / "embeddings").glob("[0-9]*")}
        attempts = {name: _attempts(job, name) for name in finished}
        harm(own_broker)
        return job, attempts

    harming = beside.submit(harmed)
    deployment.run("submit", str(SAMPLE), *MANY_SHARDS, "--force-new", "--output", str(tmp_path / "out"))
    job, attempts = harming.result(PATIENCE_SECONDS)
    assert comparable(tmp_path / "out") == quiet
    # No shard that was finished is computed again.
    assert attempts == {name: _attempts(job, name) for name in attempts}


def _attempts(job: Path, embedding: str) -> int:
    return attempts_begun(job / "attempts" / embedding.replace(".safetensors", ".jsonl"))


def test_resume_goes_on_from_the_files_after_total_loss(
    deployment: Deployment, own_broker: EmbeddedBroker, quiet: dict[str, bytes], tmp_path: Path
) -> None:
    job_id = deployment.run("submit", str(SAMPLE), *MANY_SHARDS, "--force-new").strip()
    job = deployment.store / "jobs" / job_id
    wait_until(lambda: PHASES["embedding"](job))
    emptied(own_broker)
    finished = {file.name for file in (job / "embeddings").glob("[0-9]*")}
    attempts = {name: _attempts(job, name) for name in finished}
    deployment.run("resume", job_id)
    deployment.run("watch", job_id)
    deployment.run("results", job_id, "--output", str(tmp_path / "out"))
    assert comparable(tmp_path / "out") == quiet
    assert attempts == {name: _attempts(job, name) for name in finished}

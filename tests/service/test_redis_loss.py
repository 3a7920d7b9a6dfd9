"""Redis killed, restarted and emptied in every phase of a job, with a client that waits or comes back with `resume`."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from service.deployment import COMMAND, Deployment, comparable, wait_until

from virnucpro_tasks.broker import EmbeddedBroker

pytestmark = [pytest.mark.service, pytest.mark.slow]

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sample.fasta"


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path / "redis") as started:
        yield started


@pytest.fixture
def deployment(own_broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Deployment]:
    settings = {"VIRNUCPRO_SHARD_TOKENS": "1", "VIRNUCPRO_LEASE_SECONDS": "3"}
    started = Deployment(tmp_path, own_broker.url, settings=settings)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("quiet")
    with EmbeddedBroker() as broker:
        calm = Deployment(folder, broker.url, settings={"VIRNUCPRO_SHARD_TOKENS": "1"})
        calm.run("predict", str(SAMPLE), "--devices", "cpu", "--output", str(folder / "out"))
    return comparable(folder / "out")


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
    "embedding": lambda job: len(list((job / "embeddings").glob("[0-9]*"))) > 20,
    "finishing": lambda job: len(list((job / "embeddings").glob("[0-9]*"))) > 130 or (job / "run.json").exists(),
}
"""When the phase has begun; the sample makes 140 shards."""


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("harm", [restart, outage, emptied], ids=lambda harm: harm.__name__)
def test_a_waiting_client_gets_the_same_results(
    deployment: Deployment,
    own_broker: EmbeddedBroker,
    quiet: dict[str, bytes],
    tmp_path: Path,
    phase: str,
    harm: Callable[[EmbeddedBroker], None],
) -> None:
    deployment.start_workers("cpu")
    client = subprocess.Popen(
        [*COMMAND, "submit", str(SAMPLE), "--output", str(tmp_path / "out")],
        env=deployment.environment,
        stderr=subprocess.PIPE,
    )
    jobs = deployment.store / "jobs"
    job = wait_until(lambda: next((file.parent for file in jobs.glob("*/job.json")), None))
    wait_until(lambda: PHASES[phase](job))
    finished = {file.name for file in (job / "embeddings").glob("[0-9]*")}
    attempts = {name: _attempts(job, name) for name in finished}
    harm(own_broker)
    _, errors = client.communicate(timeout=120)
    assert client.returncode == 0, errors.decode() + deployment.worker_log()
    assert comparable(tmp_path / "out") == quiet
    # No shard that was finished is computed again.
    assert attempts == {name: _attempts(job, name) for name in finished}


def _attempts(job: Path, embedding: str) -> int:
    return len((job / "attempts" / embedding.replace(".safetensors", ".jsonl")).read_text().splitlines())


def test_resume_goes_on_from_the_files_after_total_loss(
    deployment: Deployment, own_broker: EmbeddedBroker, quiet: dict[str, bytes], tmp_path: Path
) -> None:
    deployment.start_workers("cpu")
    job_id = deployment.run("submit", str(SAMPLE)).strip()
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

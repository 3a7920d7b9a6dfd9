"""A store that fills up or becomes read-only in the middle of a job: it says so and ends, and `resume` finishes it."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from service.deployment import PATIENCE_SECONDS, SAMPLE, Deployment, comparable, wait_until

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.chaos.hosts import children
from virnucpro_tasks.errors import ExitCode

pytestmark = [pytest.mark.service, pytest.mark.slow]

SETTINGS = {"VIRNUCPRO_STORE_FAILURE_SECONDS": "2"}
SMALL_BYTES = 1_000
"""Notes of attempts are smaller, embeddings are not."""


def limit_files(supervisor: int, limit: int) -> None:
    """No process below `supervisor` can write a larger file."""
    for worker in children(supervisor):
        for pid in (worker, *children(worker)):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


@dataclass(frozen=True)
class Small:
    """A worker that only embeds, and whether its store is a small file system of its own."""

    deployment: Deployment
    is_mounted: bool


@pytest.fixture(scope="module")
def small(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    folder = tmp_path_factory.mktemp("deployment")
    store = folder / "store"
    store.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(store)]
    is_mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    with EmbeddedBroker(server=server) as broker:
        with Deployment(folder, broker.url, settings=SETTINGS) as started:
            started.start_workers("cpu", "--coordinators", "0", "--name", "embedding")
            yield Small(started, is_mounted)
        if is_mounted:
            subprocess.run(["umount", str(store)], check=True)


@pytest.fixture
def deployment(small: Small) -> Iterator[Deployment]:
    """That worker, and no coordinator yet."""
    deployment = small.deployment
    deployment.log.write_bytes(b"")
    yield deployment
    for supervisor in deployment.supervisors[1:]:
        supervisor.terminate()
    for supervisor in deployment.supervisors[1:]:
        supervisor.wait(PATIENCE_SECONDS)
    del deployment.supervisors[1:]


@pytest.fixture
def small_disk(small: Small, deployment: Deployment) -> Path:
    """The store, if it is a file system of its own."""
    if not small.is_mounted:
        pytest.skip("no right to mount a file system")
    return deployment.store


def results_of(deployment: Deployment, job_id: str) -> dict[str, bytes]:
    deployment.run("watch", job_id)
    deployment.run("results", job_id, "--output", str(deployment.folder / job_id))
    return comparable(deployment.folder / job_id)


def computing(supervisor: int) -> int:
    """How many processes compute below `supervisor`."""
    return sum(len(children(worker)) for worker in children(supervisor))


def test_a_job_whose_embeddings_cannot_be_written_ends_with_a_message_and_is_resumed(
    deployment: Deployment, quiet: dict[str, bytes]
) -> None:
    # Given workers whose store takes no embedding
    supervisors = [deployment.supervisors[0].pid, deployment.start_workers("none").pid]
    wait_until(lambda: list(map(computing, supervisors)) == [1, 1])
    deployment.run("submit", str(SAMPLE), "--wait", "--force-new")
    for supervisor in supervisors:
        limit_files(supervisor, SMALL_BYTES)
    # When a job is computed
    job_id = deployment.run("submit", str(SAMPLE), "--force-new").strip()
    # Then it says so while it is tried again, and ends
    wait_until(lambda: "the store fails: File too large" in deployment.json("status", job_id)["message"])
    deployment.run("watch", job_id, expect=ExitCode.JOB_FAILED)
    status = deployment.json("status", job_id)
    assert (status["state"], status["exit_code"]) == ("failed", ExitCode.JOB_FAILED)
    assert "virnucpro resume" in status["message"]
    # And once there is room, it goes on
    for supervisor in supervisors:
        limit_files(supervisor, resource.RLIM_INFINITY)
    deployment.run("resume", job_id)
    assert results_of(deployment, job_id) == quiet


def remount(store: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(store)], check=True)


def fill(store: Path) -> None:
    with (store / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
        while True:
            filler.write(bytes(4_096))


FAULTS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "No space left on device": (fill, lambda store: (store / "filler").unlink()),
    "Read-only file system": (lambda store: remount(store, "ro"), lambda store: remount(store, "rw")),
}
"""Faults of a store that cannot even take the note that a job has failed, by their names, and how they pass."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_store_that_takes_nothing_is_told_by_redis_and_waited_for(
    deployment: Deployment, small_disk: Path, quiet: dict[str, bytes], fault: str
) -> None:
    begin, end = FAULTS[fault]
    job_id = deployment.run("submit", str(SAMPLE), "--force-new").strip()
    begin(small_disk)
    deployment.start_workers("none")
    # When it has failed for longer than the limit
    wait_until(lambda: "cannot be marked as failed either" in deployment.log.read_text(), seconds=60)
    # Then the job waits, and says why
    status = deployment.json("status", job_id)
    assert status["state"] == "queued" and fault in status["message"]
    assert not (small_disk / "jobs" / job_id / "failed.json").exists()
    # And goes on by itself
    end(small_disk)
    assert results_of(deployment, job_id) == quiet

"""Computing processes that hang while their parent processes are well: ended, and their tasks done all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from service.deployment import SAMPLE, Deployment, comparable, slow_shards, wait_until

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.recovery.events import Began, Event, Failed, HandedBack, read_events

pytestmark = [pytest.mark.service, pytest.mark.slow]

LIMIT_SECONDS = 2.5


@pytest.fixture(scope="module")
def watched(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker and a coordinator whose computing processes may be without progress for LIMIT_SECONDS."""
    folder = tmp_path_factory.mktemp("watched")
    settings = slow_shards(folder / "slow") | {"VIRNUCPRO_PROGRESS_LIMIT_SECONDS": str(LIMIT_SECONDS)}
    (folder / "slow").write_text("0")
    with EmbeddedBroker(server=server) as broker, Deployment(folder, broker.url, settings=settings) as started:
        started.start_workers("cpu")
        yield started


def submitted(deployment: Deployment, *, slow_seconds: float) -> tuple[str, Path]:
    """A job of one shard that takes so long, and the folder of its attempts."""
    (deployment.folder / "slow").write_text(str(slow_seconds))
    job_id = deployment.run("submit", str(SAMPLE), "--force-new").strip()
    return job_id, deployment.store / "jobs" / job_id / "attempts"


def began(file: Path) -> Began:
    """The first attempt of a file, once there is one."""
    return wait_until(lambda: [event for event in read_events(file) if isinstance(event, Began)])[0]


def end_of(attempt: Began, file: Path) -> Event:
    """How that attempt ended, according to the file, once that is known."""
    ends = wait_until(
        lambda: [event for event in read_events(file) if not isinstance(event, Began) and event.pid == attempt.pid]
    )
    return ends[0]


def results_of(deployment: Deployment, job_id: str) -> dict[str, bytes]:
    deployment.run("watch", job_id)
    deployment.run("results", job_id, "--output", str(deployment.folder / job_id))
    return comparable(deployment.folder / job_id)


def test_a_stopped_process_is_ended_and_its_shard_is_not_blamed(watched: Deployment, quiet: dict[str, bytes]) -> None:
    job_id, attempts = submitted(watched, slow_seconds=1)
    first = began(attempts / "000000.jsonl")
    psutil.Process(first.pid).suspend()
    assert isinstance(end_of(first, attempts / "000000.jsonl"), HandedBack)
    assert results_of(watched, job_id) == quiet
    # And it is said, with the shard
    said = watched.log.read_text()
    assert f"no progress for {LIMIT_SECONDS} s: it was stopped (SIGSTOP) job={job_id} shard=0: it is killed" in said
    assert "embed-cpu0 lost its computing process, which was killed by SIGKILL (no progress for" in said
    # The worker's parent process is the same
    assert psutil.Process(first.parent).is_running()


def test_a_shard_that_stands_still_by_itself_has_failed(watched: Deployment, quiet: dict[str, bytes]) -> None:
    job_id, attempts = submitted(watched, slow_seconds=3_600)
    failed = end_of(began(attempts / "000000.jsonl"), attempts / "000000.jsonl")
    # Not before: the first attempt might read it, which begins before it sleeps.
    (watched.folder / "slow").write_text("0")
    assert isinstance(failed, Failed) and failed.reason == f"no progress for {LIMIT_SECONDS} s"
    assert results_of(watched, job_id) == quiet


def test_a_coordinator_whose_process_is_stopped_between_two_jobs_gets_another(
    watched: Deployment, quiet: dict[str, bytes]
) -> None:
    first_id, attempts = submitted(watched, slow_seconds=0)
    watched.run("watch", first_id)
    stopped = began(attempts / "finishing.jsonl")
    psutil.Process(stopped.pid).suspend()
    job_id, attempts = submitted(watched, slow_seconds=0)
    assert results_of(watched, job_id) == quiet
    assert began(attempts / "splitting.jsonl").pid != stopped.pid

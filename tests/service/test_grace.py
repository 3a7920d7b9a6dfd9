"""`virnucpro worker --grace-seconds`: gone in time, and what was not finished starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from service.deployment import COMMAND, Deployment, wait_until

from virnucpro_tasks.attempts import History, read_attempts
from virnucpro_tasks.broker import EmbeddedBroker

pytestmark = pytest.mark.service

SAMPLE = str(Path(__file__).resolve().parents[2] / "examples" / "sample.fasta")
FAULTS = Path(__file__).resolve().parent / "faults"
GRACE_SECONDS = 6.0


@pytest.fixture
def deployment(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Deployment]:
    started = Deployment(tmp_path, broker.url)
    yield started
    started.stop()


def test_a_long_shard_is_handed_back_in_time_and_not_held_against_it(deployment: Deployment) -> None:
    slow = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(FAULTS), os.environ.get("PYTHONPATH")])),
        "TEST_FAULTS": "none",
        "TEST_SLOW_SECONDS": "60",
    }
    log = (deployment.folder / "workers.log").open("ab")
    supervisor = subprocess.Popen(
        [*COMMAND, "worker", "--devices", "cpu", "--grace-seconds", str(GRACE_SECONDS)],
        env=deployment.environment | slow,
        stdout=log,
        stderr=log,
    )
    deployment.supervisors.append(supervisor)
    job_id = deployment.run("submit", SAMPLE).strip()
    attempts = deployment.store / "jobs" / job_id / "attempts" / "000000.jsonl"
    wait_until(attempts.exists)
    began = time.monotonic()
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(GRACE_SECONDS + 5) == 0
    assert time.monotonic() - began < GRACE_SECONDS + 2
    deployment.start_workers("cpu")
    deployment.run("watch", job_id)
    entries = read_attempts(attempts)
    assert [entry.get("handed_back", False) for entry in entries] == [False, True, False]
    assert History.of(entries).tries["whole"] == 1

"""Messages that nobody of ours sends: refused in one line, and the worker goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from service.deployment import Deployment, wait_until

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.keys import CPU_QUEUE
from virnucpro_tasks.paths import new_job_id

pytestmark = pytest.mark.service

SAMPLE = str(Path(__file__).resolve().parents[2] / "examples" / "sample.fasta")


@pytest.fixture
def deployment(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Deployment]:
    started = Deployment(tmp_path, broker.url)
    yield started
    started.stop()


def test_they_are_refused_and_the_next_job_is_served(deployment: Deployment) -> None:
    sender = Celery("stranger", broker=deployment.broker_url, backend=deployment.broker_url, set_as_current=False)
    gone = new_job_id()
    for task, arguments, options in (
        ("virnucpro.split_job", ["../../../etc/passwd"], {}),
        ("virnucpro.finish_job", [gone], {"shard": 3}),
        ("virnucpro.embed_shard", [gone, "0"], {}),
        ("virnucpro.recheck_job", [{"$": 1}], {}),
        ("virnucpro.finish_job", [gone], {}),
        ("virnucpro.embed_shard", [gone, 3], {}),
        ("os.system", ["true"], {}),
    ):
        sender.send_task(task, arguments, options, queue=CPU_QUEUE)
    deployment.start_workers("cpu")
    deployment.run("submit", SAMPLE, "--wait")
    log = (deployment.folder / "workers.log").read_text()
    wait_until(lambda: log.count("message refused: ") == 4)
    assert log.count(f"job {gone}: not in the store") == 2
    # Celery shows one for a task that does not exist.
    assert log.count("Traceback") == log.count("KeyError: 'os.system'") == 1
    sender.close()

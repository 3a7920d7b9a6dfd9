"""Messages that nobody of ours sends, and workers of others: refused in one line, and our workers go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from celery import Celery
from service.deployment import SAMPLE, Deployment, wait_until

from virnucpro_tasks.build import own_build
from virnucpro_tasks.keys import CPU_QUEUE, queue_of_build
from virnucpro_tasks.paths import new_job_id

pytestmark = pytest.mark.service


@pytest.mark.parametrize("command", [("worker", "--devices", "none"), ("submit", str(SAMPLE)), ("doctor",)])
def test_nobody_of_another_store_gets_at_the_messages(
    serving: Deployment, tmp_path: Path, command: tuple[str, ...]
) -> None:
    serving.run("submit", str(SAMPLE))
    stranger = replace(serving, folder=tmp_path, supervisors=[])
    stranger.store.mkdir()
    ended = stranger.finish(*command, expect=4)
    assert f"serves another store: {serving.store}" in (ended.stdout + ended.stderr).decode()


def test_they_are_refused_and_the_next_job_is_served(serving: Deployment) -> None:
    sender = Celery("stranger", broker=serving.broker_url, backend=serving.broker_url, set_as_current=False)
    gone = new_job_id()
    before = serving.log.stat().st_size
    for task, arguments, options in (
        ("virnucpro.split_job", ["../../../etc/passwd"], {}),
        ("virnucpro.finish_job", [gone], {"shard": 3}),
        ("virnucpro.embed_shard", [gone, "0"], {}),
        ("virnucpro.recheck_job", [{"$": 1}], {}),
        ("virnucpro.finish_job", [gone], {}),
        ("virnucpro.embed_shard", [gone, 3], {}),
        ("os.system", ["true"], {}),
    ):
        sender.send_task(task, arguments, options, queue=queue_of_build(CPU_QUEUE, own_build()))
    serving.run("submit", str(SAMPLE), "--wait", "--force-new")

    def said() -> str:
        return serving.log.read_bytes()[before:].decode()

    wait_until(lambda: said().count("message refused: ") == 4 and said().count(f"job {gone}: not in the store") == 2)
    wait_until(lambda: "KeyError: 'os.system'" in said())
    log = said()
    # Celery shows one for a task that does not exist.
    assert log.count("Traceback") == log.count("KeyError: 'os.system'") == 1
    sender.close()

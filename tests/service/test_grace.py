"""`virnucpro worker --grace-seconds`: gone in time, and what was not finished starts again."""

from __future__ import annotations

import json
import signal
import time

import pytest
from service.deployment import PATIENCE_SECONDS, SAMPLE, Deployment, slow_shards, wait_until

from virnucpro_tasks.recovery.events import Began, HandedBack, Passed, read_events
from virnucpro_tasks.recovery.history import History

pytestmark = pytest.mark.service

GRACE_SECONDS = 6.0
SHARD_SECONDS = 120.0
ALLOWED_SECONDS = 120.0
"""What a worker gives its shard at most: more than a busy machine needs for a short one."""

NOTICE_SECONDS = 30.0
"""What a spot machine is given."""


def test_a_long_shard_is_handed_back_in_time_and_not_held_against_it(deployment: Deployment) -> None:
    slow = slow_shards(SHARD_SECONDS)
    supervisor = deployment.start_workers("cpu", "--grace-seconds", str(GRACE_SECONDS), **slow)
    job_id = deployment.run("submit", str(SAMPLE)).strip()
    attempts = deployment.store / "jobs" / job_id / "attempts" / "000000.jsonl"
    wait_until(lambda: read_events(attempts))
    began = time.monotonic()
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    assert time.monotonic() - began < NOTICE_SECONDS
    deployment.start_workers("cpu")
    deployment.run("watch", job_id)
    events = read_events(attempts)
    assert [type(event) for event in events] == [Began, HandedBack, Began, Passed]
    assert History.of(events).tries("whole") == 0


def test_a_worker_that_stops_waits_no_longer_than_its_shard(deployment: Deployment) -> None:
    slow = slow_shards(2.0) | {"VIRNUCPRO_SOFT_SHUTDOWN_SECONDS": str(ALLOWED_SECONDS)}
    supervisor = deployment.start_workers("cpu", "--log-format", "json", **slow)
    job_id = deployment.run("submit", str(SAMPLE)).strip()
    attempts = deployment.store / "jobs" / job_id / "attempts" / "000000.jsonl"
    wait_until(lambda: read_events(attempts))
    began = time.monotonic()
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(PATIENCE_SECONDS) == 0
    assert time.monotonic() - began < ALLOWED_SECONDS
    messages = [json.loads(line)["message"] for line in deployment.log.read_text().splitlines()]
    assert f"stops when its task ends, or in {ALLOWED_SECONDS:g} s" in messages
    deployment.start_workers("cpu")
    deployment.run("watch", job_id)
    assert [type(event) for event in read_events(attempts)] == [Began, Passed]

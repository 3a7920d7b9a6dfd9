"""A Redis that is full for a while in the middle of a job: the workers wait, and nothing is lost or done twice."""

from __future__ import annotations

import time

import pytest
import redis
from service.deployment import MANY_SHARDS, SAMPLE, Deployment, attempts_begun, wait_until

from virnucpro_tasks.keys import LIVE_QUEUES, UNACKED
from virnucpro_tasks.queue.chords import OVER_SECONDS

pytestmark = pytest.mark.service

FULL_SECONDS = 3.0


def lasting_keys(client: redis.Redis) -> set[bytes]:
    """The keys that do not go within minutes; the queues of jobs that have just ended go too."""
    keys = set(client.keys("*")) - {LIVE_QUEUES.encode()}
    return {key for key in keys if client.ttl(key) == -1 or client.ttl(key) > OVER_SECONDS}


def test_workers_wait_for_a_full_redis_and_a_job_leaves_nothing_there(serving: Deployment) -> None:
    client = redis.Redis(unix_socket_path=serving.broker_url.removeprefix("redis+socket://").partition("?")[0])
    # Given a deployment that has done a job
    serving.run("submit", str(SAMPLE), "--force-new", "--wait")
    wait_until(lambda: not client.exists(UNACKED))
    before, said = lasting_keys(client), len(serving.log.read_text())
    # When Redis is full in the middle of another one
    job_id = serving.run("submit", str(SAMPLE), "--force-new", *MANY_SHARDS).strip()
    job = serving.store / "jobs" / job_id
    wait_until(lambda: len(list((job / "embeddings").glob("[0-9]*"))) > 2)
    client.config_set("maxmemory", 1)
    try:
        wait_until(lambda: "Redis is full: waiting" in serving.log.read_text()[said:])
        time.sleep(FULL_SECONDS)
    finally:
        client.config_set("maxmemory", 0)
    # Then it goes on, each shard was tried once, and no worker has ended
    serving.run("watch", job_id)
    assert {attempts_begun(file) for file in (job / "attempts").glob("[0-9]*.jsonl")} == {1}
    new = serving.log.read_text()[said:]
    assert "starting again" not in new and "Traceback" not in new
    # And what it had in Redis goes
    wait_until(lambda: lasting_keys(client) <= before, seconds=60)

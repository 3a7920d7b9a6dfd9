"""Faults of Redis: killed, cut off, emptied, full, or with a message that is there twice."""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from uuid import uuid4

import redis

from virnucpro_tasks.chaos.hosts import send
from virnucpro_tasks.chaos.scene import Hit, Scene
from virnucpro_tasks.keys import priority_lists

OUTAGE_SECONDS = 2.0
FULL_SECONDS = 2.0


def restart_redis(scene: Scene) -> Hit:
    """Kill Redis (SIGKILL) and start it again at once with its append-only file."""
    scene.broker.restart()
    return set()


def redis_outage(scene: Scene) -> Hit:
    """Kill Redis (SIGKILL) and start it again after OUTAGE_SECONDS with its append-only file."""
    if not send(scene.broker.pid, signal.SIGKILL):
        return None
    scene.after(OUTAGE_SECONDS, scene.broker.restart)
    return set()


def cut_connections(scene: Scene) -> Hit:
    """Close all connections to a running Redis, as when a proxy or firewall in between restarts."""
    try:
        client = _client(scene)
        for kind in ("pubsub", "normal"):
            client.client_kill_filter(_type=kind, skipme=True)
    except redis.RedisError:
        return None
    return set()


def empty_redis(scene: Scene) -> Hit:
    """Delete everything in Redis: queues, leases, counters of the chord."""
    try:
        _client(scene).flushall()
    except redis.RedisError:
        return None
    return set()


def fill_redis(scene: Scene) -> Hit:
    """Let Redis refuse whatever needs memory for FULL_SECONDS: its limit is lowered to what it uses."""
    try:
        client = _client(scene)
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]))
    except redis.RedisError:
        return None
    scene.after(FULL_SECONDS, lambda: _make_room(scene))
    return set()


def deliver_twice(scene: Scene) -> Hit:
    """Queue a waiting message of the job a second time."""
    job = scene.job
    queue = job.queue
    try:
        client = _client(scene)
        for name in priority_lists(queue):
            if found := client.lrange(name, 0, -1):
                message = json.loads(scene.dice.choice(found))
                message["properties"]["delivery_tag"] = str(uuid4())
                client.rpush(name, json.dumps(message))
                return set()
    except redis.RedisError:
        return None
    return None


def _make_room(scene: Scene) -> None:
    # A Redis that is away meanwhile starts without a limit.
    with suppress(redis.RedisError):
        _client(scene).config_set("maxmemory", 0)


def _client(scene: Scene) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(scene.broker.socket), socket_timeout=5)

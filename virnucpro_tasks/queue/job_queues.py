"""The queues of jobs in Redis: one per job, announced so that workers find it, removed when it stays empty.

A queue is announced in LIVE_QUEUES by the process that puts shards into it and by the workers that hold one, with the
time of Redis's clock, so the clocks of hosts need not agree.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from kombu.entity import Queue

from virnucpro_tasks.keys import LIVE_QUEUES, WAITING_SUFFIX, priority_lists

T = TypeVar("T")

ANNOUNCE_SECONDS = 1.0
"""Shortest time between two announcements of a queue while shards are put into it."""

_ANNOUNCE = """
local now = redis.call('TIME')[1]
for _, queue in ipairs(ARGV) do redis.call('ZADD', KEYS[1], now, queue) end
"""

_SWEEP = """
local now = tonumber(redis.call('TIME')[1])
local waiting = {}
local entries = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for index = 1, #entries, 2 do
    local queue, length = entries[index], 0
    for suffix = 3, #ARGV do length = length + redis.call('LLEN', queue .. ARGV[suffix]) end
    local bundle = string.match(queue, '^[^.]+')
    waiting[bundle] = (waiting[bundle] or 0) + length
    if length == 0 and now - tonumber(entries[index + 1]) > tonumber(ARGV[1]) then
        redis.call('ZREM', KEYS[1], queue)
    end
end
local report = {}
for bundle, length in pairs(waiting) do
    local gauge = bundle .. ARGV[2]
    local shown = redis.call('LLEN', gauge)
    if shown > length then
        if length == 0 then redis.call('DEL', gauge) else redis.call('LTRIM', gauge, 0, length - 1) end
    end
    while shown < length do
        local some = {}
        for entry = 1, math.min(1000, length - shown) do some[entry] = '' end
        redis.call('RPUSH', gauge, unpack(some))
        shown = shown + #some
    end
    report[#report + 1] = bundle
    report[#report + 1] = length
end
return report
"""
"""ARGV: seconds without an announcement, suffix of a gauge, suffixes of the lists of a queue."""


def entity(queue: str) -> Queue:
    """Return the queue for Celery; it is not declared in Redis, so nothing of it is left there."""
    return Queue(queue, exchange=None, routing_key=queue, no_declare=True)


def announce(client: Any, queues: Iterable[str]) -> None:
    """Announce these queues to the workers, for the first time or again. `client` is a redis-py client, here and below.

    Raises redis.RedisError, as all functions here do.
    """
    if names := list(queues):
        client.eval(_ANNOUNCE, 1, LIVE_QUEUES, *names)


def announcing(client: Any, queue: str, items: Iterable[T]) -> Iterator[T]:
    """Yield `items` to a caller that puts them into `queue`, and keep the queue announced meanwhile."""
    announced_at = float("-inf")
    for item in items:
        if time.monotonic() - announced_at >= ANNOUNCE_SECONDS:
            announce(client, [queue])
            announced_at = time.monotonic()
        yield item


def live_queues(client: Any, bundle_queue: str) -> set[str]:
    """Return the announced queues of jobs with the bundle whose queue is `bundle_queue`."""
    found = (bytes(name).decode() for name in client.zrange(LIVE_QUEUES, 0, -1))
    return {name for name in found if name.startswith(f"{bundle_queue}.")}


def waiting(client: Any, queue: str) -> int:
    """Return how many messages wait in `queue`; if any do, announce it again in case that was lost."""
    with client.pipeline(transaction=False) as pipeline:
        for name in priority_lists(queue):
            pipeline.llen(name)
        count = sum(pipeline.execute())
    if count:
        announce(client, [queue])
    return count


def empty(client: Any, queue: str) -> int:
    """Delete all messages that wait in `queue`; returns how many there were. Shards being computed are not affected."""
    lists = priority_lists(queue)
    with client.pipeline(transaction=True) as pipeline:
        for name in lists:
            pipeline.llen(name)
        pipeline.delete(*lists)
        return sum(pipeline.execute()[: len(lists)])


def sweep(client: Any, *, quiet_seconds: float) -> dict[str, int]:
    """Remove queues that are empty and were not announced for `quiet_seconds`, and set the gauges of waiting shards.

    Returns the number of waiting shards by bundle queue. Any process may call it, also several at once.
    """
    report = client.eval(_SWEEP, 1, LIVE_QUEUES, quiet_seconds, WAITING_SUFFIX, *priority_lists(""))
    return {bytes(report[index]).decode(): int(report[index + 1]) for index in range(0, len(report), 2)}

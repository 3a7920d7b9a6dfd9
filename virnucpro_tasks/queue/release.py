"""Takes a cancelled job out of Redis: its messages that wait, and those that no living worker holds."""

from __future__ import annotations

import time
from collections.abc import Callable

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.keys import LEASES, UNACKED, UNACKED_INDEX
from virnucpro_tasks.queue.client import drop_waiting
from virnucpro_tasks.queue.messages import drop_stage_messages
from virnucpro_tasks.queue.redis_checks import unreachable

POLL_SECONDS = 0.5

_DROP_LAPSED = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local held, entries = 0, redis.call('HGETALL', KEYS[1])
for index = 1, #entries, 2 do
    local tag = entries[index]
    if string.find(entries[index + 1], ARGV[1], 1, true) then
        local renewed = redis.call('ZSCORE', KEYS[3], tag)
        if renewed and now - tonumber(renewed) > tonumber(ARGV[2]) then
            redis.call('HDEL', KEYS[1], tag)
            redis.call('ZREM', KEYS[2], tag)
            redis.call('ZREM', KEYS[3], tag)
        else
            held = held + 1
        end
    end
end
return held
"""
"""ARGV: job id, seconds of a lease. Returns how many messages of the job are held."""


def release(
    app: Celery,
    job: Job,
    *,
    lease_seconds: float,
    patience_seconds: float,
    tell: Callable[[int], None] = lambda held: None,
) -> int:
    """Delete the messages of a cancelled job, and wait until workers have let go of those that they hold.

    Returns how many are still held after `patience_seconds`; `tell` is called with their number once if there are any.
    Raises BrokerError.
    """
    until = time.monotonic() + patience_seconds
    told = False
    while True:
        # What a worker gives back waits again.
        drop_waiting(app, job)
        try:
            client = app.backend.client
            drop_stage_messages(client, job)
            held = int(client.eval(_DROP_LAPSED, 3, UNACKED, UNACKED_INDEX, LEASES, job.job_id, lease_seconds))
        except (OperationalError, RedisError) as error:
            raise unreachable(app, error) from None
        if held and not told:
            tell(held)
            told = True
        if not held or time.monotonic() > until:
            return held
        time.sleep(POLL_SECONDS)

"""Finds the jobs that have a message in Redis: one that waits, or one that a worker took and has not acknowledged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.keys import LIVE_QUEUES, UNACKED, coordinator_queues, priority_lists
from virnucpro_tasks.queue.job_queues import waiting

_JOBS_WITH_MESSAGES = """
local found = {}
local function collect(text)
    for job in string.gmatch(text, '%d%d%d%d%d%d%d%dt%d%d%d%d%d%dz%-[a-z2-7]+') do found[job] = true end
end
for _, message in ipairs(redis.call('HVALS', KEYS[1])) do collect(message) end
for index = 3, #KEYS do
    local length = redis.call('LLEN', KEYS[index])
    for start = 0, length - 1, 1000 do
        for _, message in ipairs(redis.call('LRANGE', KEYS[index], start, start + 999)) do collect(message) end
    end
end
for _, queue in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    for _, suffix in ipairs(ARGV) do
        if redis.call('LLEN', queue .. suffix) > 0 then collect(queue) end
    end
end
local jobs = {}
for job in pairs(found) do jobs[#jobs + 1] = job end
return jobs
"""
"""Collects job ids from the header `argsrepr` of messages, whose bodies are encoded, and from names of queues."""

_HELD = """
local count = 0
for _, message in ipairs(redis.call('HVALS', KEYS[1])) do
    if string.find(message, ARGV[1], 1, true) then count = count + 1 end
end
return count
"""


def jobs_with_messages(client: Any, builds: Iterable[str]) -> set[str]:
    """Return the ids of all jobs of `builds` with a message, and some of others. Raises redis.RedisError."""
    lists = _coordinator_lists(builds)
    found = client.eval(_JOBS_WITH_MESSAGES, 2 + len(lists), UNACKED, LIVE_QUEUES, *lists, *priority_lists(""))
    return {bytes(job).decode() for job in found}


def has_messages(client: Any, job: Job) -> bool:
    """Return whether the job has a message. A queue that holds one and is not announced is announced again."""
    queue = job.queue
    return waiting(client, queue) > 0 or job.job_id in jobs_with_messages(client, [job.spec.build])


def drop_stage_messages(client: Any, job: Job) -> int:
    """Delete the messages of splitting and finishing of a job that wait; returns how many. Raises redis.RedisError."""
    dropped = 0
    for name in _coordinator_lists([job.spec.build]):
        for message in client.lrange(name, 0, -1):
            if job.job_id in bytes(message).decode(errors="replace"):
                dropped += int(client.lrem(name, 1, message))
    return dropped


def _coordinator_lists(builds: Iterable[str]) -> list[str]:
    return [name for build in builds for queue in coordinator_queues(build) for name in priority_lists(queue)]


def held_messages(client: Any, job_id: str) -> int:
    """Return how many messages of a job workers have taken and not acknowledged. Raises redis.RedisError."""
    return int(client.eval(_HELD, 1, UNACKED, job_id))

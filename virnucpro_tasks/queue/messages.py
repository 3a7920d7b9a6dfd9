"""Which jobs have a message in Redis: queued, or taken by a worker and not acknowledged. All others are lost there."""

from __future__ import annotations

from typing import Any

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.keys import CPU_QUEUE, LIVE_QUEUES, SMALL_QUEUE, UNACKED, priority_lists
from virnucpro_tasks.queue.job_queues import waiting

_NAMED = """
local found = {}
local function look(text)
    for job in string.gmatch(text, '%d%d%d%d%d%d%d%dt%d%d%d%d%d%dz%-[a-z2-7]+') do found[job] = true end
end
for _, message in ipairs(redis.call('HVALS', KEYS[1])) do look(message) end
for index = 3, #KEYS do
    local length = redis.call('LLEN', KEYS[index])
    for start = 0, length - 1, 1000 do
        for _, message in ipairs(redis.call('LRANGE', KEYS[index], start, start + 999)) do look(message) end
    end
end
for _, queue in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    for _, suffix in ipairs(ARGV) do
        if redis.call('LLEN', queue .. suffix) > 0 then look(queue) end
    end
end
local jobs = {}
for job in pairs(found) do jobs[#jobs + 1] = job end
return jobs
"""
"""Messages name their job in the header `argsrepr`; bodies are encoded."""


def jobs_with_messages(client: Any) -> set[str]:
    """Ids of all jobs that a message waits for or is worked at. Raises redis.RedisError."""
    lists = [name for queue in (CPU_QUEUE, SMALL_QUEUE) for name in priority_lists(queue)]
    found = client.eval(_NAMED, 2 + len(lists), UNACKED, LIVE_QUEUES, *lists, *priority_lists(""))
    return {bytes(job).decode() for job in found}


def has_messages(client: Any, job: Job) -> bool:
    """Whether the job has one, also in a queue that is no longer announced, which it then is again."""
    queue = job.queue
    return waiting(client, queue) > 0 or job.job_id in jobs_with_messages(client)

"""Every name that exists in Redis.

| name                          | type                 | owner       | lifetime                                     |
| ----------------------------- | -------------------- | ----------- | -------------------------------------------- |
| cpu, cpu-small, + priorities  | list (queue)         | kombu       | messages until acknowledged                  |
| gpu-{12 hex}.{owner}.         | list (queue)         | kombu       | a job's shards until taken, or cancelled     |
|   {priority}.{job id}         |                      |             |                                              |
| virnucpro.queues              | sorted set           | virnucpro   | a job's queue from its first shard until     |
|                               |                      |             | QUIET_LEASES leases after its last           |
| gpu-{12 hex}.waiting          | list (a gauge)       | coordinator | as long as shards of the bundle wait         |
| gpu-{12 hex}                  | list (queue)         | kombu       | always empty: marks the workers of a bundle  |
| unacked, unacked_index        | hash, sorted set     | kombu       | a taken message until acknowledged           |
| virnucpro.leases              | sorted set           | virnucpro   | of a taken message until acknowledged        |
| virnucpro.looked              | string               | virnucpro   | for ever: when somebody last looked at them  |
| virnucpro.watch               | string               | virnucpro   | which coordinator watches, for three looks   |
| virnucpro.store               | string               | virnucpro   | for ever: the store that this Redis serves   |
| virnucpro.store-failures      | hash                 | virnucpro   | a job's count until the store takes          |
| virnucpro.store-reasons       | hash                 | virnucpro   | something of it, `resume` or `remove`        |
| unacked_mutex                 | string               | kombu       | seconds                                      |
| _kombu.binding*               | set, sorted set      | kombu       | for ever (a few bytes a bundle)              |
| *.celery.pidbox               | list                 | kombu       | seconds: questions to workers, and answers   |
| celery-task-meta-{task id}    | string               | celery      | RESULT_DAYS, a few integers a task           |
| celery-taskset-meta-{id}      | string               | celery      | RESULT_DAYS, one a chord                     |
| chord-*, *.j, *.t, *.s, *.c   | sorted set, strings  | celery      | RESULT_DAYS, refreshed by each shard         |

A priority other than 0 is a list of its own: the queue's name, PRIORITY_SEPARATOR, the number.
Nothing else is written, and nothing here is needed to resume a job: the job folder is the truth.
"""

from __future__ import annotations

import re

CPU_QUEUE = "cpu"
"""Splitting and finishing: no model, no device."""

SMALL_QUEUE = "cpu-small"
"""The same for small inputs: a process of its own takes from it, so that they never wait for a giant one."""

SMALL_INPUT_BYTES = 10_000_000
"""Inputs up to this size, as they are in the store, are small: split and finished in a second or two."""

LIVE_QUEUES = "virnucpro.queues"
"""The queues of jobs that have shards; each scored by when that was last said, in seconds of the server's clock."""

UNACKED = "unacked"
"""kombu's: the messages that were taken and not acknowledged, by delivery tag."""

LEASES = "virnucpro.leases"
"""Taken messages by delivery tag, each scored by when its lease was last renewed, in seconds of the server's clock."""

LAST_SWEEP = "virnucpro.last-sweep"
"""When somebody last looked for lapsed leases, on the same clock."""

WATCH = "virnucpro.watch"
"""The process that watches over the jobs of the store."""

STORE = "virnucpro.store"
"""Which store this Redis serves, as JSON: its id, and where who first said so had it: a folder, a host."""

STORE_FAILURES = "virnucpro.store-failures"
"""How often in a row the store has failed a job, by job id."""

STORE_REASONS = "virnucpro.store-reasons"
"""Why, as JSON: a message, and whether the job has ended for it."""

QUIET_LEASES = 3
"""A job's queue that is empty and was not announced for so many leases is forgotten: a shard whose worker died has
come back within one lease and one sweep."""

RESULT_DAYS = 30
"""Days that task results and chord counters stay in Redis; longer than any job."""

PRIORITY_STEPS = (0, 3, 6, 9)
"""Priorities of messages on Redis; 0 is served first. Only the coordinators' queues have several: finishing comes
before splitting. The shards of a job are all equal; the job's own priority is in the name of its queue.
"""

FINISHING_PRIORITY, SPLITTING_PRIORITY = 0, 6

HIGHEST, DEFAULT_PRIORITY, LOWEST = 0, 6, 9
"""Of a job among those of its owner."""

PRIORITY_SEPARATOR = "\x06\x16"
"""kombu's, between a queue's name and a priority."""

_DIGEST_CHARACTERS = 12
_OWNER_CHARACTERS = 32
_JOB_QUEUE = re.compile(r"gpu-[^.]+\.(?P<owner>[^.]+)\.(?P<priority>\d)\.[^.]+")
"""A process also listens to queues of Celery's own, whose names have dots too."""
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9_-]")


def gpu_queue(bundle_digest: str) -> str:
    """The queue by which the workers of one bundle are known; the queues of jobs with that bundle begin with it."""
    return f"gpu-{bundle_digest[:_DIGEST_CHARACTERS]}"


def job_queue(bundle_digest: str, owner: str, priority: int, job_id: str) -> str:
    """The queue of one job's shards. What is unusual in the owner's name becomes an underscore."""
    name = _NOT_IN_A_NAME.sub("_", owner.lower())[:_OWNER_CHARACTERS]
    return f"{gpu_queue(bundle_digest)}.{name}.{priority}.{job_id}"


def owner_of(queue: str) -> str:
    """Whose turn a queue takes: the owner in the name of a job's queue, otherwise the queue itself."""
    found = _JOB_QUEUE.fullmatch(queue)
    return found["owner"] if found else queue


def priority_of(queue: str) -> int:
    """The priority in the name of a job's queue, 0 (first) to 9; 0 of any other queue."""
    found = _JOB_QUEUE.fullmatch(queue)
    return int(found["priority"]) if found else 0


def waiting_gauge(bundle_digest: str) -> str:
    """A list with one (meaningless) entry for each shard of the bundle that waits: for what scales by its length."""
    return f"{gpu_queue(bundle_digest)}.waiting"


def coordinator_queue(input_bytes: int) -> str:
    """The queue that a job of this size is split and finished in."""
    return SMALL_QUEUE if input_bytes <= SMALL_INPUT_BYTES else CPU_QUEUE


def priority_lists(queue: str) -> list[str]:
    """The lists that a queue consists of, the first served first."""
    return [f"{queue}{PRIORITY_SEPARATOR}{step}" if step else queue for step in PRIORITY_STEPS]

"""All names in Redis.

| name                          | type                 | written by  | lifetime                                     |
| ----------------------------- | -------------------- | ----------- | -------------------------------------------- |
| {COORDINATOR_QUEUES}.{build}  | list (queue)         | kombu       | a message until it is taken                  |
| gpu-{12 hex}-{build}.{owner}. | list (queue)         | kombu       | a job's shards until taken, or cancelled     |
|   {priority}.{job id}         |                      |             |                                              |
| virnucpro.queues              | sorted set           | virnucpro   | a job's queue from its first shard until     |
|                               |                      |             | QUIET_LEASES leases after its last           |
| gpu-{12 hex}-{build}.waiting  | list (a gauge)       | coordinator | as long as shards of the bundle wait         |
| gpu-{12 hex}-{build}          | list (queue)         | kombu       | always empty: shows which bundle workers have|
| unacked, unacked_index        | hash, sorted set     | kombu       | a taken message until acknowledged           |
| virnucpro.leases              | sorted set           | virnucpro   | a taken message until acknowledged           |
| virnucpro.last-sweep          | string               | virnucpro   | for ever: time of the last poll for lapsed   |
|                               |                      |             | leases                                       |
| virnucpro.watch.{build}       | string               | virnucpro   | the coordinator that looks for lost jobs of  |
|                               |                      |             | a build, for three polls                     |
| virnucpro.watch               | string               | virnucpro   | HOLD_OFF_SECONDS: a build that 0.7.0 sees    |
| virnucpro.retention           | string               | virnucpro   | the coordinator that removes old jobs, for   |
|                               |                      |             | an hour; with `retention_days` only          |
| virnucpro.store               | string               | virnucpro   | for ever: the store that this Redis serves   |
| virnucpro.store-failures      | hash                 | virnucpro   | a job's failures until a task succeeds,      |
|                               |                      |             | or `resume` or `remove` is called            |
| virnucpro.room                | string               | virnucpro   | a millisecond: is there room for it?         |
| virnucpro.worker-troubles     | hash                 | supervisor  | of each worker, until it has finished a task |
| virnucpro.shard-shares.       | hash                 | worker      | shares of shards under way: a minute after   |
|   {job id}                    |                      |             | the shard's end, an hour after the last      |
| virnucpro.work-counts.        | hash                 | worker      | a worker's counts, for metrics: until a day  |
|   {worker}                    |                      |             | after its last shard                         |
| virnucpro.workers-counted     | set                  | worker      | for ever: the workers that have counts       |
| unacked_mutex                 | string               | kombu       | seconds                                      |
| _kombu.binding*               | set, sorted set      | kombu       | for ever (a few bytes a bundle)              |
| *.celery.pidbox               | list                 | kombu       | seconds: questions to workers, and answers   |
| celery-task-meta-{task id}    | string               | celery      | RESULT_SECONDS; nobody reads it              |
| celery-taskset-meta-{id}.j,   | sorted set, strings, | celery      | until the callback of the chord is sent, or  |
|   .t, .s, .d                  | set                  |             | the job is over; CHORD_DAYS at most          |
| celery-taskset-meta-{id}.c    | string               | celery,     | minutes: the chord is over                   |
|                               |                      | virnucpro   |                                              |
| virnucpro.chords              | hash                 | virnucpro   | the job of each chord, until that is over    |

Each priority other than 0 is a list of its own: the queue's name, PRIORITY_SEPARATOR, the number.
Jobs of versions up to 0.7.0 tell no build: the names of their queues are without one, and without the character before
it. Nothing else is written, and nothing in Redis is needed to resume a job: the job folder has all of it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CoordinatorQueue:
    """A queue of splitting and finishing, which need neither models nor a device."""

    name: str
    most_input_bytes: float = math.inf
    """Size of the largest input, as it is in the store, whose job uses this queue."""


COORDINATOR_QUEUES = (
    CoordinatorQueue("cpu"),
    CoordinatorQueue("cpu-small", most_input_bytes=10_000_000),
)
"""The first takes inputs of any size; a job uses the one with the lowest limit that takes its input. Every coordinator
serves all queues. Each queue but the first also has a coordinator of its own, so that small inputs, which take a second
or two, never wait for a giant one."""

CPU_QUEUE = COORDINATOR_QUEUES[0].name

LIVE_QUEUES = "virnucpro.queues"
"""The queues of jobs that have shards, each with the time of its last announcement by the server's clock."""

UNACKED = "unacked"
"""kombu's hash of the messages that were taken and not acknowledged, by delivery tag."""

UNACKED_INDEX = "unacked_index"
"""kombu's sorted set of the delivery tags in UNACKED."""

LEASES = "virnucpro.leases"
"""Taken messages by delivery tag, each with the time when its lease was last renewed, by the server's clock."""

LAST_SWEEP = "virnucpro.last-sweep"
"""The time when a worker last polled for lapsed leases, by the server's clock."""

WATCH = "virnucpro.watch"
"""The coordinator that looks for lost jobs; those of a build follow a dot and the build. The plain name keeps the
coordinators of versions up to 0.7.0 from taking jobs that they cannot read for lost or damaged ones."""

RETENTION = "virnucpro.retention"
"""The host whose coordinator has begun a round of removing old jobs, until the next one is due."""

STORE = "virnucpro.store"
"""The store that this Redis serves, as JSON: its id, and the host that bound it first, with the folder there."""

STORE_FAILURES = "virnucpro.store-failures"
"""The failures of the store in a row by job id, as JSON: for how long, how often to which worker, a message."""

ROOM = "virnucpro.room"
"""Written by a client that wants to know whether Redis takes anything."""

WORKER_TROUBLES = "virnucpro.worker-troubles"
"""The last death of a worker by its node name, as JSON: why, what to do, its queue, the time by the server's clock."""

SHARD_SHARES = "virnucpro.shard-shares"
"""Begins the name of a job's hash: the share of each shard under way that is computed, by number."""

WORK_COUNTS = "virnucpro.work-counts"
"""Begins the name of a worker's hash: what it has done, by the name of each count."""

WORKERS_COUNTED = "virnucpro.workers-counted"
"""The node names of the workers that have counts."""

HOLD_OFF_SECONDS = 86_400
"""The plain name of WATCH stays so long after a job was queued, or a coordinator has looked for lost jobs."""

QUIET_LEASES = 3
"""A job's queue that is empty and was not announced for so many leases is removed: by then a shard whose worker died
has come back, after one lease and one sweep."""

CHORDS = "virnucpro.chords"
"""The job of each chord, by the id of its group."""

RESULT_SECONDS = 300
"""Results of tasks are written because Celery, while it does so, waits for a Redis that is away. Nobody reads them."""

CHORD_DAYS = 30
"""Counters of a chord stay so long after its last finished shard; longer than any job."""

PRIORITY_STEPS = (0, 3, 6, 9)
"""Priorities of messages on Redis; 0 is served first. Only the coordinators' queues use several: finishing comes before
splitting. All shards of a job have the same one; the job's own priority is in the name of its queue.
"""

FINISHING_PRIORITY, SPLITTING_PRIORITY = 0, 6

HIGHEST, DEFAULT_PRIORITY, LOWEST = 0, 6, 9
"""Priorities of a job among those of its owner."""

PRIORITY_SEPARATOR = "\x06\x16"
"""kombu's separator between a queue's name and a priority."""

WAITING_SUFFIX = ".waiting"
"""Follows a bundle's queue in the name of its gauge of waiting shards."""

_DIGEST_CHARACTERS = 12
_OWNER_CHARACTERS = 32
_JOB_QUEUE = re.compile(r"gpu-[^.]+\.(?P<owner>[^.]+)\.(?P<priority>\d)\.[^.]+")
"""A process also takes from queues of Celery itself, whose names have dots too."""
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9_-]")


def gpu_queue(bundle_digest: str, build: str) -> str:
    """Return the queue that all workers of a bundle and a build take from; the names of its jobs' queues begin with it.

    `build` is empty for jobs of versions up to 0.7.0, here and below.
    """
    return f"{bundle_prefix(bundle_digest)}-{build}" if build else bundle_prefix(bundle_digest)


def bundle_prefix(bundle_digest: str) -> str:
    """Return how the names of the queues of a bundle begin, whatever the build."""
    return f"gpu-{bundle_digest[:_DIGEST_CHARACTERS]}"


def job_queue(bundle_digest: str, build: str, owner: str, priority: int, job_id: str) -> str:
    """Return the queue of one job's shards."""
    return f"{gpu_queue(bundle_digest, build)}.{owner_in_queue(owner)}.{priority}.{job_id}"


def owner_in_queue(owner: str) -> str:
    """Return an owner as the names of queues have it: unusual characters are underscores."""
    return _NOT_IN_A_NAME.sub("_", owner.lower())[:_OWNER_CHARACTERS]


def owner_of(queue: str) -> str:
    """Return the owner in the name of a job's queue; any other queue counts as an owner of its own."""
    found = _JOB_QUEUE.fullmatch(queue)
    return found["owner"] if found else queue


def priority_of(queue: str) -> int:
    """Return the priority in the name of a job's queue, 0 (first) to 9, or 0 for any other queue."""
    found = _JOB_QUEUE.fullmatch(queue)
    return int(found["priority"]) if found else 0


def waiting_gauge(bundle_digest: str, build: str) -> str:
    """Return the list with one (meaningless) entry per waiting shard of the bundle and build, for autoscalers."""
    return gpu_queue(bundle_digest, build) + WAITING_SUFFIX


def shard_shares(job_id: str) -> str:
    """Return the hash of the shares of a job's shards under way."""
    return f"{SHARD_SHARES}.{job_id}"


def work_counts(worker: str) -> str:
    """Return the hash of what a worker has done, by its node name."""
    return f"{WORK_COUNTS}.{worker}"


def coordinator_queue(input_bytes: int, build: str) -> str:
    """Return the queue of splitting and finishing for a job of a build with an input of this size."""
    fitting = (queue for queue in COORDINATOR_QUEUES if input_bytes <= queue.most_input_bytes)
    return queue_of_build(min(fitting, key=lambda queue: queue.most_input_bytes).name, build)


def coordinator_queues(build: str) -> tuple[str, ...]:
    """Return all queues of splitting and finishing of a build, in the order of COORDINATOR_QUEUES."""
    return tuple(queue_of_build(queue.name, build) for queue in COORDINATOR_QUEUES)


def queue_of_build(name: str, build: str) -> str:
    """Return the queue of a build that is called `name` among those of splitting and finishing."""
    return f"{name}.{build}" if build else name


def watch_key(build: str) -> str:
    """Return the name of the coordinator that looks for lost jobs of a build."""
    return f"{WATCH}.{build}"


def priority_lists(queue: str) -> list[str]:
    """Return the lists of a queue, one per priority, in the order in which they are served."""
    return [f"{queue}{PRIORITY_SEPARATOR}{step}" if step else queue for step in PRIORITY_STEPS]

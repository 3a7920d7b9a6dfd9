"""Every name that exists in Redis.

| name                        | type                 | owner  | lifetime                                   |
| --------------------------- | -------------------- | ------ | ------------------------------------------ |
| cpu, cpu\\x06\\x16{3,6,9}     | list (queue)         | kombu  | messages until acknowledged                |
| gpu-{12 hex}, + priorities  | list (queue)         | kombu  | messages until acknowledged                |
| unacked, unacked_index      | hash, sorted set     | kombu  | a taken message until acknowledged         |
| unacked_mutex               | string               | kombu  | seconds, during a restore sweep            |
| _kombu.binding*             | set, sorted set      | kombu  | for ever (a few bytes a queue)             |
| *.celery.pidbox             | list                 | kombu  | seconds: questions to workers, and answers |
| celery-task-meta-{task id}  | string               | celery | RESULT_DAYS, a few integers a task         |
| celery-taskset-meta-{id}    | string               | celery | RESULT_DAYS, one a chord                   |
| chord-*, *.j, *.t, *.s, *.c | sorted set, strings  | celery | RESULT_DAYS, refreshed by each shard       |

Nothing else is written, and nothing here is needed to resume a job: the job folder is the truth.
"""

from __future__ import annotations

CPU_QUEUE = "cpu"
"""Splitting and finishing: no model, no device."""

RESULT_DAYS = 30
"""Days that task results and chord counters stay in Redis; longer than any job."""

PRIORITY_STEPS = (0, 3, 6, 9)
"""Priorities on Redis; 0 is served first."""

_DIGEST_CHARACTERS = 12


def gpu_queue(bundle_digest: str) -> str:
    """The queue of the shards of one bundle: a worker with another bundle never sees them."""
    return f"gpu-{bundle_digest[:_DIGEST_CHARACTERS]}"

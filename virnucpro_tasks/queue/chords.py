"""The chords of jobs in Redis: what Celery counts finished shards by, removed once nobody waits for their callback.

Celery removes a chord when its callback is sent. Those of a job that was cancelled, removed, has failed, or was started
anew would stay for CHORD_DAYS.
"""

from __future__ import annotations

from typing import Any

from celery import Celery

from virnucpro_tasks.keys import CHORDS, shard_shares

COUNTERS = (".j", ".t", ".s", ".d")
"""Celery's names of the keys of a chord follow the id of its group; `.c` says whether it is over."""

OVER = "done"
OVER_SECONDS = 600
"""Shards that are still being computed then would begin such counters anew; Celery counts none of a chord that is over.
"""


def register_chord(client: Any, job_id: str, group_id: str) -> None:
    """Record which job a chord belongs to, before it is published. Raises redis.RedisError, as all here do."""
    client.hset(CHORDS, group_id, job_id)


def jobs_with_chords(client: Any) -> set[str]:
    """Return the ids of the jobs that have chords."""
    return {bytes(job_id).decode() for job_id in client.hvals(CHORDS)}


def retire_chords(app: Celery, job_id: str) -> int:
    """Remove all that a job that is over has in Redis, except its messages; returns the number of its chords."""
    client = app.backend.client
    groups = [bytes(group).decode() for group, job in client.hgetall(CHORDS).items() if bytes(job).decode() == job_id]
    with client.pipeline(transaction=False) as pipeline:
        for group in groups:
            # A full Redis refuses this first part, and does the rest.
            pipeline.set(app.backend.get_key_for_group(group, ".c"), OVER, ex=OVER_SECONDS)
            pipeline.delete(*(app.backend.get_key_for_group(group, suffix) for suffix in COUNTERS))
            pipeline.hdel(CHORDS, group)
        pipeline.delete(shard_shares(job_id))
        pipeline.execute(raise_on_error=False)
    return len(groups)

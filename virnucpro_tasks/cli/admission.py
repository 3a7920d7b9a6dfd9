"""Refuses a new job for which the store or Redis has no room, before it is queued."""

from __future__ import annotations

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.queue.app import VirnucproApp
from virnucpro_tasks.queue.redis_memory import require_redis_room


def admit(app: VirnucproApp, job: Job) -> None:
    """Raise StoreError or BrokerError if there is less room than `job` is estimated to need.

    Jobs that are under way may need what is free now, too: they are not counted.
    """
    if job.is_empty:
        return
    # Imported here: it loads pyarrow.
    from virnucpro_tasks.jobs.room import require_room, room_of

    try:
        room = room_of(job)
    except InputError:
        # Splitting finds the same, and says so by the rules of the job.
        return
    require_room(job, room)
    require_redis_room(app, room.redis_bytes)

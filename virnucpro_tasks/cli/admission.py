"""Refuses a job for which the store or Redis has no room beside the jobs under way, before it is queued."""

from __future__ import annotations

from virnucpro_tasks.errors import BrokerError, InputError, NoRoomError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.queue.app import VirnucproApp
from virnucpro_tasks.queue.redis_memory import require_redis_room


def admit(app: VirnucproApp, job: Job) -> None:
    """Raise StoreError or BrokerError if there is less room than a new `job` and those under way are estimated to need.

    The estimate is noted beside the job.
    """
    if job.is_empty:
        return
    # Imported here: they load pyarrow.
    from virnucpro_tasks.jobs.room import require_room, room_of
    from virnucpro_tasks.jobs.room_under_way import note_room, room_under_way

    try:
        room = room_of(job)
    except InputError:
        # Splitting finds the same, and says so by the rules of the job.
        return
    under_way = room_under_way(job.paths.store, but=job.job_id, is_new=True)
    require_room(job, room, under_way=under_way)
    require_redis_room(app, room.redis_bytes + under_way.redis_bytes)
    note_room(job, room)


def admit_again(app: VirnucproApp, job: Job) -> None:
    """`admit` for a job that goes on: what it has computed needs no more room.

    Raises StoreError or NoRoomError; a Redis that does not answer is left to whoever queues the job.
    """
    if job.is_empty:
        return
    from virnucpro_tasks.jobs.room import require_room
    from virnucpro_tasks.jobs.room_under_way import room_left, room_under_way

    try:
        room = room_left(job, redis_has_it=False)
    except InputError:
        return
    under_way = room_under_way(job.paths.store, but=job.job_id)
    require_room(job, room, under_way=under_way)
    try:
        require_redis_room(app, room.redis_bytes + under_way.redis_bytes)
    except NoRoomError:
        raise
    except BrokerError:
        return

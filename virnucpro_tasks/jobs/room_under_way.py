"""The room that jobs which have not ended will still take, so that a new one is not admitted to what is theirs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from virnucpro_tasks.errors import DamagedError, VirnucproError
from virnucpro_tasks.jobs.job import Job, is_stopped, job_ids, open_job
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.jobs.room import Room, room_of
from virnucpro_tasks.system.file_operations import exists
from virnucpro_tasks.system.files import read_checked, write_checked

NO_ROOM = Room(store_bytes=0, kept_bytes=0, files=0, redis_bytes=0)


def note_room(job: Job, room: Room) -> None:
    """Keep the estimate of a job beside it; without the note it is made again when it is needed."""
    with suppress(OSError):
        write_checked(job.paths.room, room)


def noted_room(job: Job) -> Room:
    """The estimate of a job, as it was noted, or made now. Raises InputError as `room_of` does, and OSError."""
    with suppress(FileNotFoundError, DamagedError):
        return read_checked(job.paths.room, Room)
    return room_of(job)


def room_left(job: Job, *, redis_has_it: bool) -> Room:
    """Estimate what a job will still take: results and tables whole, and the vectors and messages of missing shards.

    With `redis_has_it` the messages of a job that is split are in Redis already. Raises InputError, OSError.
    """
    room, progress = noted_room(job), job_progress(job)
    total = progress.shards_total
    missing = 1.0 if not total else max(0, total - progress.shards_done) / total
    return Room(
        store_bytes=round(room.kept_bytes + (room.store_bytes - room.kept_bytes) * missing),
        kept_bytes=room.kept_bytes,
        files=round(room.files * missing),
        redis_bytes=0 if redis_has_it and total is not None else round(room.redis_bytes * missing),
    )


def room_under_way(store: Path, *, but: str, is_new: bool = False) -> Room:
    """The sum of `room_left` over the jobs of `store` that have not ended, without the job `but`.

    Jobs that this user may not read are left out, and those that are damaged or are being removed. If `but` `is_new`,
    so are later ones without a note, which are not admitted yet: they count this one. Otherwise of many that are
    submitted at once each would be refused because of the others.
    """
    found = NO_ROOM
    for job_id in job_ids(store):
        if job_id == but:
            continue
        with suppress(VirnucproError, OSError):
            job = open_job(store, job_id)
            waits_for_this = is_new and job_id > but and not exists(job.paths.room)
            if not waits_for_this and not is_stopped(job.paths) and not job.is_empty:
                found = found.plus(room_left(job, redis_has_it=True))
    return found

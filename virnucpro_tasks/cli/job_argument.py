"""The argument JOB of commands on one job: an id or the beginning of one, a name, or @last."""

from __future__ import annotations

import os

import click

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.jobs.find import find_job
from virnucpro_tasks.jobs.job import Job, open_job
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.users import login_name, user_name

job_argument = click.argument("job_id", metavar="JOB")


def meant_job_id(settings: Settings, wanted: str, *, is_final: bool = False) -> str:
    """The id of the job that the argument `wanted` means; see `find_job`."""
    return find_job(settings.store, wanted, owner=settings.owner or login_name(), is_final=is_final)


def meant_job(settings: Settings, wanted: str, *, is_final: bool = False) -> Job:
    """The job that the argument `wanted` means. Raises as `find_job` and `open_job` do, JobError if it is closed."""
    job_id = meant_job_id(settings, wanted, is_final=is_final)
    try:
        return open_job(settings.store, job_id)
    except PermissionError:
        raise JobError(
            f"it is closed to {user_name(os.geteuid())}", job_id=job_id, hint="only who submitted it can read it"
        ) from None

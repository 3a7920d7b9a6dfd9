"""The argument JOB of commands on one job: an id or the beginning of one, a name, or @last."""

from __future__ import annotations

import click

from virnucpro_tasks.jobs.find import find_job
from virnucpro_tasks.jobs.job import Job, open_job
from virnucpro_tasks.jobs.submit import login_name
from virnucpro_tasks.settings import Settings

job_argument = click.argument("job_id", metavar="JOB")


def meant_job_id(settings: Settings, wanted: str, *, is_final: bool = False) -> str:
    """The id of the job that the argument `wanted` means; see `find_job`."""
    return find_job(settings.store, wanted, owner=settings.owner or login_name(), is_final=is_final)


def meant_job(settings: Settings, wanted: str, *, is_final: bool = False) -> Job:
    """The job that the argument `wanted` means. Raises as `find_job` and `open_job` do."""
    return open_job(settings.store, meant_job_id(settings, wanted, is_final=is_final))

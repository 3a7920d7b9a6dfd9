"""`virnucpro remove`."""

from __future__ import annotations

from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of, tell_if_full
from virnucpro_tasks.cli.job_argument import job_argument, meant_job_id
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import deployment_options, settings_of
from virnucpro_tasks.errors import BrokerError, JobDamagedError
from virnucpro_tasks.jobs.authority import require_authority, require_removable
from virnucpro_tasks.jobs.job import open_job, remove_folder, remove_job
from virnucpro_tasks.jobs.job_names import free_names
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.queue.client import drop_waiting
from virnucpro_tasks.queue.store_failures import clear_store_failures


@click.command("remove")
@job_argument
@click.option("-f", "--force", is_flag=True, help="Remove a job even while it is under way.")
@deployment_options
@click.pass_context
def command(context: click.Context, /, job_id: str, *, force: bool, **flags: Any) -> None:
    """Delete a job and all its files from the store."""
    settings = settings_of(context, **flags)
    job_id = meant_job_id(settings, job_id, is_final=True)
    paths = JobPaths.of(settings.store, job_id)
    require_authority(paths, "remove")
    require_removable(paths)
    try:
        job = open_job(settings.store, job_id)
    except JobDamagedError:
        remove_folder(paths, force=force)
        free_names(settings.store, job_id)
        tell_if_full(app_of(settings))
        say(f"job {job_id}, whose description was damaged, is removed")
        return
    under_way = not job_progress(job).is_final
    remove_job(job, force=force)
    free_names(settings.store, job_id)
    app = app_of(settings)
    try:
        if under_way:
            drop_waiting(app, job)
            clear_store_failures(app.backend.client, job.job_id)
        tell_if_full(app)
    except BrokerError as error:
        say(f"warning: {error}")
    say(f"job {job_id} is removed")

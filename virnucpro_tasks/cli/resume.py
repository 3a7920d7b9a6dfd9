"""`virnucpro resume`."""

from __future__ import annotations

from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.job_argument import job_argument, meant_job
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import deployment_options, settings_of
from virnucpro_tasks.jobs.job import reopen_job
from virnucpro_tasks.queue.client import enqueue


@click.command("resume")
@job_argument
@click.option("--retry-quarantined", is_flag=True, help="Try quarantined records again.")
@deployment_options
@click.pass_context
def command(context: click.Context, /, job_id: str, *, retry_quarantined: bool, **flags: Any) -> None:
    """Continue a job that was cancelled, has failed, or was lost with Redis; finished shards are kept."""
    settings = settings_of(context, **flags)
    job = meant_job(settings, job_id)
    if job.paths.run.exists():
        say(f"job {job.job_id} is finished: see 'virnucpro results {job.job_id}'")
        return
    reopen_job(job, retry_quarantined=retry_quarantined)
    enqueue(app_of(settings), job)
    say(f"job {job.job_id} is queued")

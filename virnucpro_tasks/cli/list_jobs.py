"""`virnucpro list`."""

from __future__ import annotations

from typing import Any

import click

from virnucpro_tasks.cli.follow import describe
from virnucpro_tasks.cli.options import json_option, print_json, settings_of, store_option
from virnucpro_tasks.jobs.job import list_jobs
from virnucpro_tasks.jobs.progress import job_progress


@click.command("list")
@store_option
@json_option
@click.pass_context
def command(context: click.Context, /, *, as_json: bool, **flags: Any) -> None:
    """List the jobs of the store, oldest first."""
    snapshots = [job_progress(job) for job in list_jobs(settings_of(context, **flags).store)]
    if as_json:
        print_json([progress.as_dict() for progress in snapshots])
        return
    for progress in snapshots:
        click.echo(f"{progress.job_id}  {describe(progress, None)}")

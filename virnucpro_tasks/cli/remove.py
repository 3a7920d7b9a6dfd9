"""`virnucpro remove`."""

from __future__ import annotations

from typing import Any

import click

from virnucpro_tasks.cli.options import say, settings_of, store_option
from virnucpro_tasks.jobs import open_job, remove_job


@click.command("remove")
@click.argument("job_id")
@click.option("-f", "--force", is_flag=True, help="Also a job that is under way.")
@store_option
@click.pass_context
def command(context: click.Context, /, job_id: str, *, force: bool, **flags: Any) -> None:
    """Delete a job and all its files from the store."""
    remove_job(open_job(settings_of(context, **flags).store, job_id), force=force)
    say(f"job {job_id} is removed")

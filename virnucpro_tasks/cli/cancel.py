"""`virnucpro cancel`."""

from __future__ import annotations

from typing import Any

import click

from virnucpro_tasks.cli.options import say, settings_of, store_option
from virnucpro_tasks.jobs import cancel_job, open_job


@click.command("cancel")
@click.argument("job_id")
@store_option
@click.pass_context
def command(context: click.Context, /, job_id: str, **flags: Any) -> None:
    """Stop a job: workers leave it within one pack. 'resume' takes it back."""
    cancel_job(open_job(settings_of(context, **flags).store, job_id))
    say(f"job {job_id} is cancelled")

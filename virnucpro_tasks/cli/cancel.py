"""`virnucpro cancel`."""

from __future__ import annotations

from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of, tell_if_full
from virnucpro_tasks.cli.job_argument import job_argument, meant_job
from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.cli.options import deployment_options, settings_of
from virnucpro_tasks.errors import BrokerError, counted
from virnucpro_tasks.jobs.authority import require_authority
from virnucpro_tasks.jobs.job import cancel_job
from virnucpro_tasks.queue.client import drop_waiting


@click.command("cancel")
@job_argument
@deployment_options
@click.pass_context
def command(context: click.Context, /, job_id: str, **flags: Any) -> None:
    """Stop a job: no further shard is started, and workers stop before their next pack.

    'virnucpro resume' continues it.
    """
    settings = settings_of(context, **flags)
    job = meant_job(settings, job_id, is_final=True)
    require_authority(job.paths, "cancel")
    # The marker file is what counts: without Redis, the workers discard the waiting shards one by one.
    cancel_job(job)
    app = app_of(settings)
    try:
        dropped = f", {_dropped(drop_waiting(app, job))}"
        tell_if_full(app)
    except BrokerError as error:
        dropped = ""
        say(f"warning: {error}")
    say(f"job {job.job_id} is cancelled{dropped}")


def _dropped(shards: int) -> str:
    return f"{counted(shards, 'waiting shard')} {'was' if shards == 1 else 'were'} dropped"

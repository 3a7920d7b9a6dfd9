"""`virnucpro watch`."""

from __future__ import annotations

from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.follow import follow_deployed, how_to_go_on, require_end
from virnucpro_tasks.cli.job_argument import job_argument, meant_job
from virnucpro_tasks.cli.job_end import end_report
from virnucpro_tasks.cli.messages import print_json
from virnucpro_tasks.cli.options import deployment_options, json_option, settings_of, timeout_option
from virnucpro_tasks.cli.summary import say_summary_of


@click.command("watch")
@job_argument
@timeout_option
@deployment_options
@json_option
@click.pass_context
def command(
    context: click.Context, /, job_id: str, *, timeout_seconds: float | None, as_json: bool, **flags: Any
) -> int:
    """Follow a job until it ends; ends with the job's exit code. Ctrl-C leaves the job running."""
    settings = settings_of(context, **flags)
    job = meant_job(settings, job_id)
    app = app_of(settings)
    again = how_to_go_on(job)
    progress = follow_deployed(
        app, job, lease_seconds=settings.lease_seconds, timeout_seconds=timeout_seconds, again=again
    )
    say_summary_of(job)
    if as_json:
        print_json(end_report(progress, job, None))
    require_end(progress, timeout_seconds=timeout_seconds, hint=again)
    return progress.exit_code

"""`virnucpro list`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import deployment_options, json_option, settings_of
from virnucpro_tasks.cli.progress import describe
from virnucpro_tasks.errors import VirnucproError
from virnucpro_tasks.jobs.job import job_ids, open_job
from virnucpro_tasks.jobs.progress import JobState, Progress, job_progress
from virnucpro_tasks.queue.client import all_with_store_failures, worker_troubles


@click.command("list")
@deployment_options
@json_option
@click.pass_context
def command(context: click.Context, /, *, as_json: bool, **flags: Any) -> None:
    """List the jobs of the store, oldest first; works without Redis."""
    settings = settings_of(context, **flags)
    app = app_of(settings)
    snapshots = all_with_store_failures(app, list(_readable(settings.store)))
    if as_json:
        print_json([progress.as_dict() for progress in snapshots])
        return
    for progress in snapshots:
        click.echo(_line(progress))
    if any(not progress.is_final for progress in snapshots):
        for line in worker_troubles(app):
            say(f"warning: {line}")


def _readable(store: Path) -> Iterator[Progress]:
    """Snapshots of the jobs that can be read; about each of the others a warning is printed."""
    for job_id in job_ids(store):
        try:
            yield job_progress(open_job(store, job_id))
        except VirnucproError as error:
            say(f"warning: {error}")


def _line(progress: Progress) -> str:
    """One line about a job, with the reason if it has failed or cannot go on."""
    line = f"{progress.job_id}  {describe(progress)}"
    if not progress.message or progress.state in (JobState.DONE, JobState.CANCELLED):
        return line
    return f"{line}: {progress.message}"

"""`virnucpro status`."""

from __future__ import annotations

from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.job_argument import job_argument, meant_job
from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import deployment_options, json_option, settings_of
from virnucpro_tasks.cli.progress import describe
from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.jobs.listing import JobListing
from virnucpro_tasks.jobs.progress import job_progress
from virnucpro_tasks.keys import gpu_queue
from virnucpro_tasks.queue.client import with_store_failures, worker_troubles, workers


@click.command("status")
@job_argument
@click.option(
    "--workers/--no-workers", "ask_workers", default=True, help="Also ask Redis and the workers about the job."
)
@deployment_options
@json_option
@click.pass_context
def command(context: click.Context, /, job_id: str, *, ask_workers: bool, as_json: bool, **flags: Any) -> None:
    """Show the progress of a job. It is read from the store, so this works without Redis."""
    settings = settings_of(context, **flags)
    job = meant_job(settings, job_id)
    progress = job_progress(job)
    app = app_of(settings)
    if ask_workers:
        progress = with_store_failures(app, job, progress)
    report = progress.as_dict() | JobListing(settings.store).identity(job).as_dict()
    if ask_workers and not progress.is_final:
        queue = gpu_queue(job.spec.bundle_digest)
        try:
            able = [worker for worker in workers(app) if queue in worker.queues]
            report["workers"] = [worker.name for worker in able]
            report["running"] = {
                worker.name: [list(task) for task in worker.running if job.job_id in task] for worker in able
            }
        except BrokerError as error:
            report["workers"] = None
            say(f"warning: {error}")
        else:
            report["troubles"] = worker_troubles(app, [queue])
    if as_json:
        print_json(report)
        return
    click.echo(f"{job.job_id}  {describe(progress)}")
    if progress.message:
        click.echo(progress.message)
    for line in report.get("troubles", []):
        click.echo(line)
    if "workers" in report and report["workers"] is not None:
        names = ", ".join(report["workers"])
        click.echo(f"workers: {names}" if names else f"no worker takes from queue {queue}: start one with this bundle")

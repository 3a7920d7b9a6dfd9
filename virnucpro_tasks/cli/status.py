"""`virnucpro status`."""

from __future__ import annotations

from typing import Any

import click

from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.job_argument import job_argument, meant_job
from virnucpro_tasks.cli.messages import print_json, print_text, say
from virnucpro_tasks.cli.options import deployment_options, json_option, settings_of
from virnucpro_tasks.cli.progress import describe
from virnucpro_tasks.cli.running_tasks import running_lines
from virnucpro_tasks.errors import BrokerError
from virnucpro_tasks.jobs.listing import JobListing
from virnucpro_tasks.jobs.progress import Wait, job_progress
from virnucpro_tasks.keys import gpu_queue
from virnucpro_tasks.monitoring.past_rate import past_rate
from virnucpro_tasks.monitoring.values import rate_values, running_values
from virnucpro_tasks.queue.client import WorkerInfo, snapshot, worker_troubles, workers
from virnucpro_tasks.queue.waiting import missing_workers, wait_of


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
    app = app_of(settings)
    progress = job_progress(job)
    found: list[WorkerInfo] | None = None
    if ask_workers and not progress.is_final:
        try:
            # First: each further question to a Redis that hangs takes until its time is over.
            found = workers(app)
            progress = snapshot(app, job)
        except BrokerError as error:
            say(f"warning: {error}")
    missing: list[str] = []
    wait: Wait | None = None
    report = progress.as_dict() | JobListing(settings.store).identity(job).as_dict()
    rate = past_rate(job, progress)
    report |= rate_values(rate) | {"workers": None, "running": {}, "running_tasks": [], "troubles": []}
    running: list[str] = []
    if found is not None and not progress.is_final:
        queue = gpu_queue(job.spec.bundle_digest, job.spec.build)
        able = [worker for worker in found if queue in worker.queues]
        missing, wait = missing_workers(job, progress, found), wait_of(job, progress, found)
        report["workers"] = [worker.name for worker in able]
        report["running"] = {worker.name: [list(task.arguments) for task in worker.at(job.job_id)] for worker in able}
        report["running_tasks"] = running_values(job.job_id, found)
        running = running_lines(job.job_id, found)
        report["troubles"] = worker_troubles(app, [queue])
    if as_json:
        print_json(report)
        return
    print_text(f"{job.job_id}  {describe(progress, rate, wait=wait)}")
    if progress.message:
        print_text(progress.message)
    for line in report["troubles"]:
        print_text(line)
    if names := report["workers"]:
        print_text(f"workers: {', '.join(names)}")
    for line in running:
        print_text(line)
    for line in missing:
        print_text(line)

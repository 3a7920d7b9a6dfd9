"""Running one job on this host with a private Redis and workers that end with it."""

from __future__ import annotations

from dataclasses import replace

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.cli.follow import follow
from virnucpro_tasks.cli.options import app_of
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import Progress, job_progress
from virnucpro_tasks.local_workers import LocalWorkers
from virnucpro_tasks.queue.client import enqueue
from virnucpro_tasks.settings import Settings


def run_here(settings: Settings, job: Job, *, devices: str, quiet: bool) -> Progress:
    """Run `job` to its end on `devices`, or only say how it ended if it has; shows progress unless `quiet`."""
    if job.paths.run.exists():
        return job_progress(job)
    with EmbeddedBroker() as broker:
        settings = replace(settings, broker_url=broker.url)
        app = app_of(settings)
        with LocalWorkers(settings, devices=devices) as workers:
            enqueue(app, job)
            return follow(app, job, lease_seconds=settings.lease_seconds, quiet=quiet, check=workers.check)

"""`virnucpro list`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import click
from celery import Celery
from redis.exceptions import RedisError

from virnucpro_tasks.cli.deployment import app_of, why_away
from virnucpro_tasks.cli.job_filter import JobFilter, filter_options
from virnucpro_tasks.cli.list_table import ListedJob, tab_separated, table
from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import deployment_options, json_option, settings_of
from virnucpro_tasks.cli.running_tasks import running_summary
from virnucpro_tasks.errors import BrokerError, VirnucproError, counted
from virnucpro_tasks.jobs.find import require_store
from virnucpro_tasks.jobs.job import job_ids
from virnucpro_tasks.jobs.listing import JobListing
from virnucpro_tasks.jobs.progress import JobState, job_progress
from virnucpro_tasks.monitoring.past_rate import past_rate
from virnucpro_tasks.queue.client import all_with_store_failures, worker_troubles, workers
from virnucpro_tasks.queue.redis_checks import check_room
from virnucpro_tasks.queue.shard_shares import shares_of_jobs
from virnucpro_tasks.queue.waiting import missing_workers


@click.command("list")
@filter_options
@deployment_options
@json_option
@click.pass_context
def command(context: click.Context, /, *, as_json: bool, **flags: Any) -> None:
    """List the jobs of the store, oldest first; works without Redis.

    On a terminal a table, elsewhere tab-separated lines with a heading; --json tells most.
    """
    wanted = JobFilter.of(flags)
    settings = settings_of(context, **flags)
    require_store(settings.store)
    app = app_of(settings)
    jobs = sorted(_readable(settings.store, wanted), key=lambda one: one.job.spec.submission_order)
    away = None if all(job.progress.is_final for job in jobs) else why_away(app)
    if away is None:
        jobs = _with_redis(app, jobs)
    jobs = [replace(job, rate=past_rate(job.job, job.progress)) for job in jobs if wanted.wants_state(job.progress)]
    if as_json:
        print_json([job.as_dict() for job in jobs])
        return
    ids = job_ids(settings.store)
    for line in table(jobs, ids) if sys.stdout.isatty() else tab_separated(jobs):
        click.echo(line)
    if not jobs:
        none = f"none of {counted(len(ids), 'job')}" if ids else "there is no job"
        say(f"{none} in the store {settings.store}{' is such a one' if ids else ''}")
    if away is not None:
        say(f"warning: {away}")
    elif any(not job.progress.is_final for job in jobs):
        try:
            check_room(app)
        except BrokerError as error:
            say(f"warning: {error}")
        for line in worker_troubles(app):
            say(f"warning: {line}")
        for line in _from_workers(app, jobs):
            say(line)


def _with_redis(app: Celery, jobs: Sequence[ListedJob]) -> list[ListedJob]:
    """The jobs with what Redis knows: what is done of the shards under way, and failures of the store."""
    embedding = [job.progress.job_id for job in jobs if job.progress.state is JobState.EMBEDDING]
    snapshots = [job.progress for job in jobs]
    with suppress(RedisError):
        shares = shares_of_jobs(app.backend.client, embedding)
        for place, job in enumerate(jobs):
            if found := shares.get(job.progress.job_id):
                # The job may be removed meanwhile.
                with suppress(VirnucproError):
                    snapshots[place] = job_progress(job.job, shares=found)
    known = all_with_store_failures(app, snapshots)
    return [replace(job, progress=progress) for job, progress in zip(jobs, known, strict=True)]


def _from_workers(app: Celery, jobs: Sequence[ListedJob]) -> list[str]:
    """A line about what workers do for each unfinished job.

    Then one about each kind of worker that such a job needs and that does not run, once for all such jobs.
    """
    try:
        found = workers(app)
    except BrokerError:
        return []
    unfinished = [job for job in jobs if not job.progress.is_final]
    running = {job.progress.job_id: running_summary(job.progress.job_id, found) for job in unfinished}
    missing = [missing_workers(job.job, job.progress, found) for job in unfinished]
    return [
        *(f"{job_id}: {line}" for job_id, line in running.items() if line),
        *dict.fromkeys(chain.from_iterable(missing)),
    ]


def _readable(store: Path, wanted: JobFilter) -> Iterator[ListedJob]:
    """The wanted jobs that can be read; about each of the others a warning is printed."""
    for found in JobListing(store).read(wanted.wants):
        if isinstance(found, VirnucproError):
            say(f"warning: {found}")
        else:
            yield ListedJob(*found)

"""`virnucpro list`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import click
from celery import Celery

from virnucpro_tasks.cli.columns import Column, aligned
from virnucpro_tasks.cli.deployment import app_of
from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import deployment_options, json_option, settings_of
from virnucpro_tasks.cli.progress import MOST_UNFINISHED
from virnucpro_tasks.cli.running_tasks import running_summary
from virnucpro_tasks.errors import BrokerError, VirnucproError, printable
from virnucpro_tasks.jobs.find import require_store, shortest_beginnings
from virnucpro_tasks.jobs.job import job_ids, open_job
from virnucpro_tasks.jobs.listing import JobIdentity, JobListing
from virnucpro_tasks.jobs.progress import JobState, Progress, share_done
from virnucpro_tasks.queue.client import all_with_store_failures, snapshot, worker_troubles, workers
from virnucpro_tasks.queue.redis_checks import check_reachable, check_room
from virnucpro_tasks.queue.waiting import missing_workers

TSV_COLUMNS = (
    *("job_id", "names", "state", "share_done", "created_at", "owner", "bundle", "inputs", "virus_records"),
    "message",
)
MISSING = "NA"
_MARK = " (DEMO)"
MOST_NAME_CHARACTERS = 24
"""A longer name is not shown in the table, where it would take the room of other columns."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A job of the list."""

    progress: Progress
    identity: JobIdentity

    def as_dict(self) -> dict[str, Any]:
        return self.progress.as_dict() | self.identity.as_dict()

    @property
    def message(self) -> str:
        """The reason if the job has failed or cannot go on."""
        is_reason = self.progress.state not in (JobState.DONE, JobState.CANCELLED)
        return self.progress.message if is_reason else ""


@click.command("list")
@deployment_options
@json_option
@click.pass_context
def command(context: click.Context, /, *, as_json: bool, **flags: Any) -> None:
    """List the jobs of the store, oldest first; works without Redis.

    On a terminal a table, elsewhere tab-separated lines with a heading; --json tells most.
    """
    settings = settings_of(context, **flags)
    require_store(settings.store)
    app = app_of(settings)
    found = list(_readable(settings.store))
    snapshots = [progress for progress, _ in found]
    away = None if all(progress.is_final for progress in snapshots) else _why_away(app)
    if away is None:
        snapshots = _within_shards(app, settings.store, all_with_store_failures(app, snapshots))
    jobs = [Listed(progress, identity) for progress, (_, identity) in zip(snapshots, found, strict=True)]
    if as_json:
        print_json([job.as_dict() for job in jobs])
        return
    for line in _table(jobs, job_ids(settings.store)) if sys.stdout.isatty() else _lines(jobs):
        click.echo(line)
    if not jobs:
        say(f"there is no job in the store {settings.store}")
    if away is not None:
        say(f"warning: {away}")
    elif any(not job.progress.is_final for job in jobs):
        try:
            check_room(app)
        except BrokerError as error:
            say(f"warning: {error}")
        for line in worker_troubles(app):
            say(f"warning: {line}")
        for line in _from_workers(app, settings.store, snapshots):
            say(line)


def _why_away(app: Celery) -> BrokerError | None:
    """Why Redis does not answer; None if it does. Asked once: each question to one that hangs takes seconds."""
    try:
        check_reachable(app)
    except BrokerError as error:
        return error
    return None


def _within_shards(app: Celery, store: Path, snapshots: Sequence[Progress]) -> list[Progress]:
    """The snapshots, those of jobs that are being embedded with what is done of the shards under way."""
    return [
        snapshot(app, open_job(store, progress.job_id)) if progress.state == JobState.EMBEDDING else progress
        for progress in snapshots
    ]


def _from_workers(app: Celery, store: Path, snapshots: Sequence[Progress]) -> list[str]:
    """A line about what workers do for each unfinished job.

    Then one about each kind of worker that such a job needs and that does not run, once for all such jobs.
    """
    try:
        found = workers(app)
    except BrokerError:
        return []
    unfinished = [progress for progress in snapshots if not progress.is_final]
    running = {progress.job_id: running_summary(progress.job_id, found) for progress in unfinished}
    missing = [missing_workers(open_job(store, progress.job_id), progress, found) for progress in unfinished]
    return [
        *(f"{job_id}: {line}" for job_id, line in running.items() if line),
        *dict.fromkeys(chain.from_iterable(missing)),
    ]


def _readable(store: Path) -> Iterator[tuple[Progress, JobIdentity]]:
    """The jobs that can be read; about each of the others a warning is printed."""
    for found in JobListing(store).read():
        if isinstance(found, VirnucproError):
            say(f"warning: {found}")
        else:
            yield found


def _lines(jobs: Sequence[Listed]) -> Iterator[str]:
    """Tab-separated lines, for scripts."""
    yield "\t".join(TSV_COLUMNS)
    for job in jobs:
        progress, identity = job.progress, job.identity
        share = share_done(progress)
        values = (
            progress.job_id,
            ",".join(identity.names),
            progress.state,
            None if share is None else f"{share:.4f}",
            progress.created_at,
            identity.owner,
            identity.bundle,
            printable(identity.inputs[0]) + _more(identity.inputs),
            progress.virus_records,
            printable(job.message),
        )
        yield "\t".join(MISSING if value in (None, "") else str(value) for value in values)


def _table(jobs: Sequence[Listed], ids: Sequence[str]) -> Iterator[str]:
    """A table for a person, in which a job is named as commands take it; below it why some failed or cannot go on."""
    if not jobs:
        return
    short = shortest_beginnings(ids)
    now = datetime.now(UTC)
    shown = [_called(job, short[job.progress.job_id]) for job in jobs]
    columns = [
        Column("JOB", shown, least=MOST_NAME_CHARACTERS),
        Column("STATE", [_state(job.progress) for job in jobs], least=9, rank=1),
        Column("AGE", [age_text(job.progress.created_at, now) for job in jobs], least=5, rank=4, is_number=True),
        Column("VIRUS", [_virus(job.progress) for job in jobs], least=7, rank=3, is_number=True),
        Column("OWNER", [job.identity.owner for job in jobs], least=6, rank=7),
        Column(
            "BUNDLE",
            [job.identity.bundle_name for job in jobs],
            ends=["" if job.identity.bundle == job.identity.bundle_name else _MARK for job in jobs],
            least=10,
            rank=6,
        ),
        Column(
            "INPUTS",
            [printable(Path(job.identity.inputs[0]).name) for job in jobs],
            ends=[_more(job.identity.inputs) for job in jobs],
            least=12,
            rank=5,
        ),
    ]
    yield from aligned(columns, width=shutil.get_terminal_size().columns)
    for job, called in zip(jobs, shown, strict=True):
        if job.message:
            yield f"{called}: {printable(job.message)}"


def _called(job: Listed, short_id: str) -> str:
    """The first name of the job that is not too long, or the beginning of its id."""
    return next((name for name in job.identity.names if len(name) <= MOST_NAME_CHARACTERS), short_id)


def _state(progress: Progress) -> str:
    share = share_done(progress)
    if progress.state != JobState.EMBEDDING or share is None:
        return str(progress.state)
    return f"{min(share, MOST_UNFINISHED):.0%} done"


def age_text(created_at: str, now: datetime) -> str:
    """The time since a job was made (ISO 8601), in its largest unit."""
    seconds = max(0.0, (now - datetime.fromisoformat(created_at)).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def _virus(progress: Progress) -> str:
    return "-" if progress.virus_records is None else f"{progress.virus_records:,}"


def _more(inputs: Sequence[str]) -> str:
    """How many inputs there are besides the first one."""
    return f" and {len(inputs) - 1:,} more" if len(inputs) > 1 else ""

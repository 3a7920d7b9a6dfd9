"""Jobs of a store as a table for people, and as tab-separated lines for scripts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from virnucpro_tasks.cli.columns import Column, aligned
from virnucpro_tasks.cli.progress import MOST_UNFINISHED
from virnucpro_tasks.errors import clock_text, printable
from virnucpro_tasks.jobs.find import shortest_beginnings
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.listing import JobIdentity
from virnucpro_tasks.jobs.progress import JobState, Progress, share_done
from virnucpro_tasks.jobs.rate import Rate
from virnucpro_tasks.monitoring.values import rate_values

TSV_COLUMNS = (
    *("job_id", "names", "state", "share_done", "created_at", "owner", "bundle", "inputs", "virus_records"),
    *("message", "seconds_left"),
)
MISSING = "NA"
_MARK = " (DEMO)"
MOST_NAME_CHARACTERS = 24
"""A longer name is not shown in the table, where it would take the room of other columns."""


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job of the list; `rate` is its speed, None while it is not being embedded, or not known."""

    job: Job
    identity: JobIdentity
    progress: Progress
    rate: Rate | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        age = {"age_seconds": round(_age_seconds(self.progress.created_at, datetime.now(UTC)), 1)}
        return self.progress.as_dict() | self.identity.as_dict() | age | rate_values(self.rate)

    @property
    def message(self) -> str:
        """The reason if the job has failed or cannot go on."""
        is_reason = self.progress.state not in (JobState.DONE, JobState.CANCELLED)
        return self.progress.message if is_reason else ""


def tab_separated(jobs: Sequence[ListedJob]) -> Iterator[str]:
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
            printable(identity.inputs[0]) + _and_more(identity.inputs),
            progress.virus_records,
            printable(job.message),
            job.rate and round(job.rate.seconds_left),
        )
        yield "\t".join(MISSING if value in (None, "") else str(value) for value in values)


def table(jobs: Sequence[ListedJob], ids: Sequence[str]) -> Iterator[str]:
    """A table for a person, in which a job is named as commands take it; below it why some failed or cannot go on.

    `ids` are those of all jobs of the store.
    """
    if not jobs:
        return
    short = shortest_beginnings(ids)
    now = datetime.now(UTC)
    shown = [_called(job, short[job.progress.job_id]) for job in jobs]
    left = [clock_text(job.rate.seconds_left) if job.rate else "-" for job in jobs]
    columns = [
        Column("JOB", shown, least=MOST_NAME_CHARACTERS),
        Column("STATE", [_state(job.progress) for job in jobs], least=9, rank=1),
        *([Column("LEFT", left, least=5, rank=2, is_number=True)] if any(job.rate for job in jobs) else []),
        Column("AGE", [age_text(job.progress.created_at, now) for job in jobs], least=5, rank=4, is_number=True),
        Column("VIRUS", [_virus(job.progress) for job in jobs], least=7, rank=3, is_number=True),
        Column("OWNER", [job.identity.owner for job in jobs], least=6, rank=5),
        Column(
            "BUNDLE",
            [job.identity.bundle_name for job in jobs],
            ends=["" if job.identity.bundle == job.identity.bundle_name else _MARK for job in jobs],
            least=10,
            rank=7,
        ),
        Column(
            "INPUTS",
            [printable(Path(job.identity.inputs[0]).name) for job in jobs],
            ends=[f" +{len(job.identity.inputs) - 1:,}" if job.identity.inputs[1:] else "" for job in jobs],
            least=10,
            rank=6,
        ),
    ]
    yield from aligned(columns, width=shutil.get_terminal_size().columns)
    for job, called in zip(jobs, shown, strict=True):
        if job.message:
            yield f"{called}: {printable(job.message)}"


def _called(job: ListedJob, short_id: str) -> str:
    """The first name of the job that is not too long, or the beginning of its id."""
    return next((name for name in job.identity.names if len(name) <= MOST_NAME_CHARACTERS), short_id)


def _state(progress: Progress) -> str:
    share = share_done(progress)
    if progress.state != JobState.EMBEDDING or share is None:
        return str(progress.state)
    return f"{min(share, MOST_UNFINISHED):.0%} done"


def age_text(created_at: str, now: datetime) -> str:
    """The time since a job was made (ISO 8601), in its largest unit."""
    seconds = _age_seconds(created_at, now)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def _age_seconds(created_at: str, now: datetime) -> float:
    return max(0.0, (now - datetime.fromisoformat(created_at)).total_seconds())


def _virus(progress: Progress) -> str:
    return "-" if progress.virus_records is None else f"{progress.virus_records:,}"


def _and_more(inputs: Sequence[str]) -> str:
    """How many inputs there are besides the first one."""
    return f" and {len(inputs) - 1:,} more" if len(inputs) > 1 else ""

"""Options that choose jobs of a store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import click

from virnucpro_tasks.cli.moment import MomentType
from virnucpro_tasks.cli.options import stacked
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.listing import JobIdentity
from virnucpro_tasks.jobs.progress import JobState, Progress

OPEN = "open"
"""Stands for all states of a job that is not over."""

filter_options = stacked(
    click.option(
        "--state",
        "states",
        multiple=True,
        type=click.Choice([OPEN, *map(str, JobState)]),
        help="Only jobs in this state, or that are not over ('open'); may be given again.",
    ),
    click.option("--owner", "owners", multiple=True, help="Only jobs of this owner; may be given again."),
    click.option("--name", "names", multiple=True, metavar="PATTERN", help="Only jobs with such a name, as 'run_*'."),
    click.option(
        "--since",
        type=MomentType(),
        metavar="WHEN",
        help="Only jobs that were submitted since then: 30m, 2h or 1d ago, or 2026-05-31 or 2026-05-31T14:00.",
    ),
)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """The jobs that are wanted: of any of these states, owners and names, if there are any, and not older."""

    states: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    since: float | None = None

    @classmethod
    def of(cls, flags: dict[str, Any]) -> JobFilter:
        """The filter of `filter_options`, which are taken out of `flags`."""
        return cls(*(flags.pop(name) for name in ("states", "owners", "names", "since")))

    def wants(self, job: Job, identity: JobIdentity) -> bool:
        """Whether the job is wanted as far as its state does not matter."""
        return (
            (not self.owners or identity.owner in self.owners)
            and (not self.names or any(fnmatchcase(name, like) for name in identity.names for like in self.names))
            and (self.since is None or datetime.fromisoformat(job.spec.created_at).timestamp() >= self.since)
        )

    def wants_state(self, progress: Progress) -> bool:
        """Whether jobs in this state are wanted."""
        return not self.states or progress.state in self.states or (OPEN in self.states and not progress.is_final)

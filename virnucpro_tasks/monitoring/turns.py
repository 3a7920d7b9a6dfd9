"""The turn of each job: its place in the order in which workers take shards, and coordinators take jobs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from virnucpro_tasks.jobs.progress import JobState
from virnucpro_tasks.keys import owner_in_queue
from virnucpro_tasks.monitoring.look import OpenJob


@dataclass(frozen=True, slots=True)
class Turn:
    """The place of a job of which something waits: workers or coordinators take what waits of `after` others first.

    If that is none, one of `one_in` shards that workers begin is of this job, as long as the same jobs wait.
    """

    after: int = 0
    one_in: int = 1

    def __str__(self) -> str:
        if self.after:
            return f"after {self.after:,}"
        return "next" if self.one_in == 1 else f"1 in {self.one_in:,}"


def turns(jobs: Sequence[OpenJob]) -> dict[str, Turn]:
    """The turn of each job of which something waits, by job id: `jobs` are all that are not over, oldest first."""
    return _of_shards(jobs) | _of_stages(jobs)


def _of_shards(jobs: Sequence[OpenJob]) -> dict[str, Turn]:
    """Workers of a bundle serve its owners by turns, and of each owner the jobs of the highest priority by turns."""
    owners: dict[tuple[str, str], list[OpenJob]] = defaultdict(list)
    for job in jobs:
        if job.waiting:
            owners[job.queue, owner_in_queue(job.identity.owner)].append(job)
    owners_of = Counter(queue for queue, _ in owners)
    found = {}
    for (queue, _), waiting in owners.items():
        at = Counter(job.priority for job in waiting)
        first = min(at)
        for job in waiting:
            before = sum(number for priority, number in at.items() if priority < job.priority)
            found[job.job_id] = Turn(before) if before else Turn(one_in=owners_of[queue] * at[first])
    return found


def _of_stages(jobs: Sequence[OpenJob]) -> dict[str, Turn]:
    """Coordinators finish jobs before they split others, both in the order of submission."""
    lines: dict[str, list[OpenJob]] = defaultdict(list)
    for job in jobs:
        is_in_line = _waits_for_finishing(job) or job.progress.state is JobState.QUEUED
        if is_in_line and job.waiting == 0 and not job.running:
            lines[job.coordinator_queue].append(job)
    return {
        job.job_id: Turn(after)
        for line in lines.values()
        for after, job in enumerate(sorted(line, key=lambda job: not _waits_for_finishing(job)))
    }


def _waits_for_finishing(job: OpenJob) -> bool:
    progress = job.progress
    return progress.state is JobState.EMBEDDING and progress.shards_done == progress.shards_total

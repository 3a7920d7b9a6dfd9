"""Reasons for which an unfinished job waits, from its progress and the workers that answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version

from virnucpro_tasks.build import DISTRIBUTION, named_build, own_build
from virnucpro_tasks.errors import printable
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, Progress, Wait
from virnucpro_tasks.keys import COORDINATOR_QUEUES, bundle_prefix, gpu_queue
from virnucpro_tasks.queue.client import WorkerInfo

BUNDLE_CHARACTERS = 12

QUIET_SECONDS = 30.0
"""A task without a sign of progress for so long is shown: most packs take less, even on a processor."""


def missing_workers(job: Job, progress: Progress, found: Sequence[WorkerInfo]) -> list[str]:
    """A line about the kinds of workers that the rest of the job needs and that are not among `found`."""
    if progress.is_final:
        return []
    bundle = job.spec.bundle_digest[:BUNDLE_CHARACTERS]
    lacks_coordinator = not coordinators_of(job, found)
    lacks_models = needs_vectors(progress) and not embedders_of(job, found)
    has_others = (lacks_coordinator and has_other_coordinators(job, found)) or (
        lacks_models and has_other_embedders(job, found)
    )
    if has_others or ((lacks_coordinator or lacks_models) and job.spec.build != own_build()):
        return [
            f"no worker of {job.spec.named_build} takes the job, which began with it: start one, or begin anew with"
            f" {named_build(version(DISTRIBUTION), own_build())} by 'virnucpro resume JOB --this-version'"
        ]
    if lacks_coordinator and lacks_models:
        return [
            f"no worker takes the job, neither a coordinator nor one with bundle {bundle}: start both with"
            " 'virnucpro worker --bundle FOLDER'"
        ]
    if lacks_coordinator:
        return [
            "no coordinator is running, which splits and finishes jobs: start one with"
            " 'virnucpro worker --devices none'"
        ]
    if lacks_models:
        others = len([worker for worker in found if not serves_coordination(worker)])
        rest = f" ({others} serve{'s' if others == 1 else ''} other bundles)" if others else ""
        return [
            f"no worker serves bundle {bundle}, the one of the job{rest}: start one with"
            " 'virnucpro worker --bundle FOLDER'"
        ]
    return []


def wait_of(job: Job, progress: Progress, found: Sequence[WorkerInfo]) -> Wait | None:
    """The reason why no worker among `found` gets on with the job; None if one does or the job is final."""
    at_it = [(task, worker) for worker in found for task in worker.at(job.job_id)]
    if progress.is_final or any((task.quiet_seconds or 0.0) < QUIET_SECONDS for task, _ in at_it):
        return None
    if at_it:
        task, worker = min(at_it, key=lambda at: at[0].quiet_seconds or 0.0)
        return Wait(f"no progress on {printable(worker.name)}", task.quiet_seconds)
    if not needs_vectors(progress) or progress.state is not JobState.EMBEDDING:
        coordinators = coordinators_of(job, found)
        if not coordinators:
            others = has_other_coordinators(job, found)
            return Wait(f"no worker of its version {job.spec.version}" if others else "no coordinator is running")
        return Wait("waiting for its turn") if all(worker.running for worker in coordinators) else None
    embedders = embedders_of(job, found)
    if not embedders:
        others = has_other_embedders(job, found)
        return Wait(f"no worker of its version {job.spec.version}" if others else "no worker serves this bundle")
    # A worker takes from the queues of jobs once its models are loaded.
    loading = [worker for worker in embedders if len(worker.queues) == 1 and not worker.running]
    if len(loading) == len(embedders):
        return Wait("loading models", max((worker.uptime_seconds or 0.0 for worker in loading), default=None))
    busy = [worker for worker in embedders if worker.running]
    return Wait("waiting for its turn") if busy else None


def needs_vectors(progress: Progress) -> bool:
    """Whether shards of the job are still to be embedded, as far as is known."""
    if progress.state is JobState.EMBEDDING:
        return progress.shards_total is None or progress.shards_done < progress.shards_total
    return progress.state in (JobState.QUEUED, JobState.SPLITTING)


def coordinators_of(job: Job, found: Sequence[WorkerInfo]) -> list[WorkerInfo]:
    """The workers among `found` that split and finish this job."""
    return [worker for worker in found if job.coordinator_queue in worker.queues]


def embedders_of(job: Job, found: Sequence[WorkerInfo]) -> list[WorkerInfo]:
    """The workers among `found` that have the models of this job, or load them."""
    queue = gpu_queue(job.spec.bundle_digest, job.spec.build)
    return [worker for worker in found if queue in worker.queues]


def has_other_coordinators(job: Job, found: Sequence[WorkerInfo]) -> bool:
    """Whether a worker of another build splits and finishes jobs with such inputs."""
    return _of_other_build(job.coordinator_queue, _first_part(job.coordinator_queue), found)


def has_other_embedders(job: Job, found: Sequence[WorkerInfo]) -> bool:
    """Whether a worker of another build has the bundle of the job, or loads it."""
    bundle = bundle_prefix(job.spec.bundle_digest)
    return _of_other_build(gpu_queue(job.spec.bundle_digest, job.spec.build), bundle, found)


def _of_other_build(queue: str, name: str, found: Sequence[WorkerInfo]) -> bool:
    """Whether a worker takes from a queue called `name`, with or without a build, that is not `queue`."""
    return any(
        re.fullmatch(rf"{re.escape(name)}([-.][0-9a-f]+)?", other) and other != queue
        for worker in found
        for other in worker.queues
    )


def serves_coordination(worker: WorkerInfo) -> bool:
    """Whether a worker is a coordinator, of whichever build."""
    names = {queue.name for queue in COORDINATOR_QUEUES}
    return any(_first_part(queue) in names for queue in worker.queues)


def _first_part(queue: str) -> str:
    return queue.partition(".")[0]

"""A look at a deployment as plain values, for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from virnucpro_tasks.jobs.rate import Rate
from virnucpro_tasks.monitoring.concerns import concerns
from virnucpro_tasks.monitoring.look import Look, OpenJob, SeenWorker
from virnucpro_tasks.monitoring.turns import Turn, turns
from virnucpro_tasks.queue.client import WorkerInfo


def as_values(look: Look) -> dict[str, Any]:
    """The look as plain values for JSON, with the lines about what needs a person."""
    infos = [worker.info for worker in look.workers if worker.info is not None]
    turn = turns(look.open_jobs)
    return {
        "at": look.at,
        "jobs": {str(state): number for state, number in look.jobs.items()},
        "unreadable": look.unreadable,
        "concerns": list(concerns(look)),
        "redis_error": look.redis_error or None,
        "store_error": look.store_error or None,
        "redis": None if look.redis is None else asdict(look.redis),
        "store": None if look.store is None else asdict(look.store),
        "open_jobs": [_job(job, infos, turn.get(job.job_id)) for job in look.open_jobs],
        "workers": [_worker(worker) for worker in look.workers],
    }


def _job(job: OpenJob, infos: Sequence[WorkerInfo], turn: Turn | None) -> dict[str, Any]:
    values = job.progress.as_dict() | job.identity.as_dict() | rate_values(job.rate)
    return values | {
        "queue": job.queue,
        "priority": job.priority,
        "age_seconds": round(job.age_seconds, 1),
        "idle_seconds": round(job.idle_seconds, 1),
        "shards_waiting": job.waiting,
        "running": running_values(job.job_id, infos),
        "waits_for": job.wait.reason if job.wait else None,
        "turn": None if turn is None else asdict(turn),
    }


def _worker(worker: SeenWorker) -> dict[str, Any]:
    return {
        "worker": worker.name,
        "answers": worker.info is not None,
        "device": worker.facts.device,
        "version": worker.facts.version,
        "task_seconds": worker.task_seconds,
        "quiet_seconds": worker.quiet_seconds,
        "shards": dict(worker.counts.shards),
        "busy_seconds": worker.counts.seconds,
        "tokens": worker.counts.tokens,
        "last_death": worker.trouble.text if worker.trouble else None,
    }


def rate_values(rate: Rate | None) -> dict[str, float | None]:
    """The speed of a job and the time until its shards are embedded; None while that is not known."""
    return {
        "tokens_per_second": None if rate is None else round(rate.tokens_per_second, 1),
        "seconds_left": None if rate is None else round(rate.seconds_left, 1),
    }


def running_values(job_id: str, found: Sequence[WorkerInfo]) -> list[dict[str, Any]]:
    """Describe the running tasks of a job; times are in seconds, None if the worker did not say."""
    return [
        {
            "worker": worker.name,
            "stage": task.stage,
            "shard": task.shard,
            "seconds": task.seconds,
            "quiet_seconds": task.quiet_seconds,
        }
        for worker in found
        for task in worker.at(job_id)
    ]

"""Finds in a look at a deployment whatever an operator is to look after."""

from __future__ import annotations

from collections.abc import Iterator

from virnucpro_tasks.errors import clock_text, counted, printable, size_text
from virnucpro_tasks.monitoring.look import Look
from virnucpro_tasks.queue.worker_troubles import FRESH_SECONDS

LEAST_STORE_SHARE = 0.1
MOST_REDIS_SHARE = 0.8
"""Shares of room at which it is time to do something; the alerts have the same."""

MOST_FAILED = 5
"""Failed jobs that are named; the others are counted."""


def concerns(look: Look) -> Iterator[str]:
    """A line about each thing that stops or will stop the work, the worst first."""
    if look.redis_full:
        yield f"{look.redis_error}: raise its maxmemory, or cancel jobs; workers cannot be asked until then"
    elif look.redis_error:
        yield look.redis_error
    if look.store_error:
        yield f"the store cannot be read: {look.store_error}"
    yield from _room(look)
    yield from _workers(look)
    yield from _jobs(look)
    usual = look.slow_workers
    for worker in look.workers:
        if worker.name in usual:
            speed = worker.tokens_per_second or 0.0
            yield f"{printable(worker.name)} is slow: {speed:,.0f} tokens/s, workers like it {usual[worker.name]:,.0f}"


def _room(look: Look) -> Iterator[str]:
    if (room := look.store) is not None and room.total_bytes:
        share = room.free_bytes / room.total_bytes
        if share < LEAST_STORE_SHARE:
            yield f"the store has {size_text(room.free_bytes)} left ({share:.0%}): 'virnucpro prune' removes old jobs"
    if (redis := look.redis) is not None and not look.redis_full and (redis.used_share or 0.0) > MOST_REDIS_SHARE:
        yield f"Redis uses {redis.used_share or 0.0:.0%} of its memory: raise maxmemory, or let jobs end"


def _workers(look: Look) -> Iterator[str]:
    for worker in look.workers:
        if worker.is_stuck:
            quiet = f"no progress for {worker.quiet_seconds:.0f} s"
            yield f"{printable(worker.name)} has shown {quiet} at {look.at_text(worker)}"
        if worker.trouble is not None and look.at - worker.trouble.at <= FRESH_SECONDS:
            yield worker.trouble.described(look.at)
    versions = {worker.facts.version for worker in look.workers if worker.info is not None and worker.facts.version}
    if len(versions) > 1:
        yield f"workers have {counted(len(versions), 'version')}: {', '.join(sorted(versions))}"


def _jobs(look: Look) -> Iterator[str]:
    if look.unreadable:
        yield f"{counted(look.unreadable, 'job')} of the store cannot be read: 'virnucpro list' says why"
    for failed in look.failed_jobs[:MOST_FAILED]:
        name = printable(failed.called)
        yield f"{name} of {failed.owner} failed {clock_text(failed.seconds)} ago: 'virnucpro status {name}' says why"
    if (more := len(look.failed_jobs) - MOST_FAILED) > 0:
        yield f"{more:,} more failed within a day: 'virnucpro list' names them"
    if look.redis_error:
        return
    served = {queue for worker in look.workers if worker.info is not None for queue in worker.info.queues}
    unserved = sorted({job.queue for job in look.open_jobs if job.waiting and job.queue not in served})
    for queue in unserved:
        yield f"no worker takes shards from {queue}: start one with 'virnucpro worker --bundle FOLDER'"
    if look.open_jobs and not any(worker.is_coordinator for worker in look.workers):
        yield "no coordinator splits and finishes jobs: start one with 'virnucpro worker --devices none'"
    for job in look.open_jobs:
        if job.progress.shards_quarantined:
            yield f"{job.job_id}: {counted(job.progress.shards_quarantined, 'shard')} with quarantined records"
        if job.progress.message:
            yield f"{job.job_id}: {printable(job.progress.message.splitlines()[0])}"

"""Report of the computing of a job: counters of the engine, workers, and when each shard was computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.timeline import shard_timeline
from virnucpro_tasks.jobs.worker_records import embedded_shards, worker_report
from virnucpro_tasks.shards.engine_stats import EngineStats, engine_report
from virnucpro_tasks.shards.plan import Plan


@dataclass(frozen=True, slots=True)
class WorkReport:
    """Parts of run.json: `engine`, and of its `times` the entries `workers` and `shards`, here `timeline`."""

    engine: dict[str, Any]
    workers: list[dict[str, Any]]
    timeline: list[dict[str, Any]]


def work_report(job: Job, plan: Plan, stats: Iterable[EngineStats]) -> WorkReport:
    """The report of a job that is embedded, with the counters of the engine of each shard of the plan, in its order."""
    embedded = embedded_shards(job.paths, plan.to_embed)
    stats = list(stats)
    tokens = [entry.tokens - of_shard.spared_tokens for entry, of_shard in zip(plan.shards, stats, strict=True)]
    return WorkReport(engine_report(stats), worker_report(embedded, tokens), shard_timeline(embedded, tokens))

from __future__ import annotations

from job import SAMPLE, embed, make_job

from virnucpro_tasks.jobs.timeline import shard_timeline
from virnucpro_tasks.jobs.worker_records import embedded_shards, worker_report
from virnucpro_tasks.output.work_report import work_report
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.engine_stats import EngineStats, engine_report
from virnucpro_tasks.shards.plan import read_plan


def test_it_tells_of_the_shards_that_were_embedded(settings: Settings) -> None:
    job = make_job(settings, SAMPLE)
    for shard in split_files(job):
        embed(job, shard, settings)
    plan = read_plan(job.paths.plan)
    stats = [EngineStats()]
    found = work_report(job, plan, stats)
    embedded = embedded_shards(job.paths, plan.to_embed)
    tokens = [entry.tokens for entry in plan.shards]
    assert found.engine == engine_report(stats)
    assert found.workers == worker_report(embedded, tokens)
    assert found.timeline == shard_timeline(embedded, tokens)

"""What tests of one job's steps share: making a job, and running its steps in this process, without a queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from virnucpro_tasks.jobs.job import Job, job_ids, open_job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.jobs.vectors import read_shard_vectors
from virnucpro_tasks.pipeline.embed_shard import embed_shard_files
from virnucpro_tasks.pipeline.finish import finish_files
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.files import ShardVectors
from virnucpro_tasks.shards.plan import read_plan

SAMPLE = Path(__file__).resolve().parent / "short.fasta"
"""1,500 bases of each record of examples/sample.fasta, with an open frame if it has any: embedded ten times as fast."""


def make_job(settings: Settings, *inputs: Path, **changed: Any) -> Job:
    """`submit` with everyday arguments."""
    arguments: dict[str, Any] = {
        "chunk_length": None,
        "min_length": None,
        "strict": False,
        "keep_embeddings": False,
        "priority": 6,
    }
    return submit(settings, inputs, **arguments | changed)


def run_job(job: Job, settings: Settings) -> None:
    """Split, embed every shard, finish."""
    for shard in split_files(job):
        assert embed_shard_files(job, shard, settings) == {"shard": shard, "state": "embedded"}
    assert finish_files(job) == []


def vectors_of(job: Job, shard: int = 0) -> ShardVectors:
    """The vectors of a shard, which are there and valid."""
    vectors = read_shard_vectors(job, read_plan(job.paths.plan), shard)
    assert vectors is not None
    return vectors


def all_jobs(settings: Settings) -> list[Job]:
    """Every job of the store, oldest first."""
    return [open_job(settings.store, job_id) for job_id in job_ids(settings.store)]

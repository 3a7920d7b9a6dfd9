"""Reads the vectors of a job's shards, checked against their digest."""

from __future__ import annotations

from pathlib import Path

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.jobs.job import Job, JobParameters
from virnucpro_tasks.jobs.shard_files import shards_in
from virnucpro_tasks.reads.compat import Compat
from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.plan import Plan, read_plan
from virnucpro_tasks.shards.vectors import ShardVectors, read_valid_vectors


def embedding_key(job: Job, shard_digest: str) -> EmbeddingKey:
    """The key that the vectors of a shard carry: the shard's digest, the bundle, how they are computed, the build.

    Vectors that were taken over from an earlier tool count as a precision of their own.
    """
    parameters, imported = job.spec.parameters, job.spec.imported
    precision = parameters.precision
    if imported is not None:
        precision = f"{precision}, {imported.digest} imported"
    return EmbeddingKey(
        shard_digest,
        job.spec.bundle_digest,
        precision,
        whole_proteins=takes_whole_proteins(parameters),
        build=job.spec.build,
    )


def takes_whole_proteins(parameters: JobParameters) -> bool:
    """Whether proteins longer than ESM-2 was trained for are not cut."""
    return parameters.compat is Compat.ORIGINAL


def vector_files(job: Job) -> list[Path]:
    """The files of vectors that belong to `job`, whether they are there or not: one for each shard of its plan.

    Not those that a listing shows: it may lack one. If the plan is damaged there is nothing else to go by.
    """
    try:
        shards = read_plan(job.paths.plan).to_embed
    except (FileNotFoundError, DamagedError):
        shards = sorted(shards_in(job.paths.embeddings, ".safetensors"))
    return [job.paths.embedding(shard) for shard in shards]


def read_shard_vectors(job: Job, plan: Plan, number: int) -> ShardVectors | None:
    """The vectors of shard `number`, or None if they are missing, damaged or have another key."""
    return read_valid_vectors(job.paths.embedding(number), embedding_key(job, plan.shards[number].digest))

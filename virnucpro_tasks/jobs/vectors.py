"""Reads the vectors of a job's shards, checked against their digest."""

from __future__ import annotations

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.plan import Plan
from virnucpro_tasks.shards.vectors import ShardVectors, read_valid_vectors


def embedding_key(job: Job, shard_digest: str) -> EmbeddingKey:
    """The key that the vectors of a shard carry: the shard's digest, the bundle and the precision."""
    return EmbeddingKey(shard_digest, job.spec.bundle_digest, job.spec.parameters.precision)


def read_shard_vectors(job: Job, plan: Plan, number: int) -> ShardVectors | None:
    """The vectors of shard `number`, or None if they are missing, damaged or have another key."""
    return read_valid_vectors(job.paths.embedding(number), embedding_key(job, plan.shards[number].digest))

"""The vectors of a job's shards, read from its store only if they are what they were when they were written."""

from __future__ import annotations

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.files import ShardVectors, read_valid_vectors
from virnucpro_tasks.shards.plan import Plan


def embedding_key(job: Job, shard_digest: str) -> EmbeddingKey:
    """The key of a shard's vectors in this job."""
    return EmbeddingKey(shard_digest, job.spec.bundle_digest, job.spec.parameters.precision)


def read_shard_vectors(job: Job, plan: Plan, number: int) -> ShardVectors | None:
    """The vectors of shard `number`; None if they are missing, of other work, cut off or changed since then."""
    return read_valid_vectors(job.paths.embedding(number), embedding_key(job, plan.shards[number].digest))

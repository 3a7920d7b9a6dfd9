from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from job import make_job

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.vectors import embedding_key, read_shard_vectors
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import Plan, read_plan
from virnucpro_tasks.shards.vectors import ShardVectors, write_vectors

VECTORS = ShardVectors(
    np.ones((1, 4), np.float32), np.ones((1, 5), np.float32), np.zeros(1, np.int32), np.zeros(1, np.int32)
)


@pytest.fixture
def job(settings: Settings, tmp_path: Path) -> Job:
    reads = tmp_path / "reads.fasta"
    reads.write_bytes(b">a\n" + b"ACGTTGCAGG" * 12 + b"\n")
    job = make_job(settings, reads)
    assert list(split_files(job)) == [0]
    return job


@pytest.fixture
def plan(job: Job) -> Plan:
    return read_plan(job.paths.plan)


def test_vectors_of_this_job_are_read(job: Job, plan: Plan) -> None:
    assert read_shard_vectors(job, plan, 0) is None
    write_vectors(job.paths.embedding(0), VECTORS, embedding_key(job, plan.shards[0].digest))
    found = read_shard_vectors(job, plan, 0)
    assert found is not None
    np.testing.assert_array_equal(found.protein, VECTORS.protein)


def test_vectors_of_another_shard_bundle_or_precision_are_not(job: Job, plan: Plan) -> None:
    spec = job.spec
    others = [
        embedding_key(job, "0" * 64),
        embedding_key(replace(job, spec=msgspec.structs.replace(spec, bundle_digest="0" * 64)), plan.shards[0].digest),
        replace(embedding_key(job, plan.shards[0].digest), precision="bf16"),
    ]
    for key in others:
        write_vectors(job.paths.embedding(0), VECTORS, key)
        assert read_shard_vectors(job, plan, 0) is None


def test_changed_vectors_are_not(job: Job, plan: Plan) -> None:
    write_vectors(job.paths.embedding(0), VECTORS, embedding_key(job, plan.shards[0].digest))
    content = job.paths.embedding(0).read_bytes()
    job.paths.embedding(0).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert read_shard_vectors(job, plan, 0) is None

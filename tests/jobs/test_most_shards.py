"""The bound on the number of shards, against the splitting itself."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from job import SAMPLE, make_job

from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.most_shards import most_shards
from virnucpro_tasks.pipeline.split import cut_input
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import FINER_FROM_SHARDS


def with_parameters(job: Job, **changed: int) -> Job:
    parameters = msgspec.structs.replace(job.spec.parameters, **changed)
    return Job(job.paths, msgspec.structs.replace(job.spec, parameters=parameters))


@pytest.fixture
def small(settings: Settings, tmp_path: Path) -> Job:
    file = tmp_path / "small.fasta"
    file.write_text(f">a\n{'ACGTTGCA' * 350}\n")
    return make_job(settings, file)


def test_three_kilobases_are_one_shard(small: Job) -> None:
    assert most_shards(small) == 1


def test_nothing_is_known_of_large_or_compressed_input(settings: Settings, small: Job, tmp_path: Path) -> None:
    packed = tmp_path / "small.fasta"
    packed.write_bytes(gzip.compress(small.paths.input(0).read_bytes()))
    assert most_shards(make_job(settings, packed)) is None
    assert most_shards(with_parameters(small, shard_tokens=100)) is None
    small.paths.input(0).unlink()
    assert most_shards(small) is None


@given(
    records=st.lists(st.integers(1, 700), min_size=1, max_size=12),
    chunk_length=st.sampled_from([300, 500, 60, 7]),
    min_length=st.sampled_from([0, 1, 60, 500]),
    shard_tokens=st.integers(300, 20_000),
)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_splitting_makes_no_more(
    settings: Settings, tmp_path: Path, records: list[int], chunk_length: int, min_length: int, shard_tokens: int
) -> None:
    # All six frames of these are open, which makes the most tokens of a base.
    file = tmp_path / "open.fasta"
    file.write_text("".join(f">a\n{'C' * length}\n" if length % 2 else f">a\n{'G' * length}\n" for length in records))
    job = with_parameters(
        make_job(settings, file), chunk_length=chunk_length, min_length=min_length, shard_tokens=shard_tokens
    )
    most = most_shards(job)
    assert most is None or sum(1 for _ in cut_input(job)) <= most < FINER_FROM_SHARDS


def test_the_bound_is_of_use_for_the_sample(settings: Settings) -> None:
    job = with_parameters(make_job(settings, SAMPLE), shard_tokens=500_000)
    assert sum(1 for _ in cut_input(job)) <= (most_shards(job) or 0) < FINER_FROM_SHARDS

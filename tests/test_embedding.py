from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from job import SAMPLE, make_job

from virnucpro_tasks import embedding
from virnucpro_tasks.embedding import embed_frames, embed_shard_files, prepare_engine
from virnucpro_tasks.jobs import Job, cancel_job
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.files import read_table, read_vectors
from virnucpro_tasks.splitting import split_files


@pytest.fixture
def job(settings: Settings) -> Job:
    job = make_job(replace(settings, shard_tokens=5_000), SAMPLE)
    assert len(list(split_files(job))) > 2
    return job


def attempts_of(job: Job, shard: int) -> list[dict[str, str]]:
    return [json.loads(line) for line in job.paths.attempts(shard).read_text().splitlines()]


def test_a_shard_becomes_a_file_once(job: Job, settings: Settings) -> None:
    assert embed_shard_files(job, 0, settings) == {"shard": 0, "state": "embedded"}
    written = job.paths.embedding(0).stat().st_mtime_ns
    assert embed_shard_files(job, 0, settings) == {"shard": 0, "state": "embedded"}
    assert job.paths.embedding(0).stat().st_mtime_ns == written
    assert len(attempts_of(job, 0)) == 1


def test_every_frame_points_to_its_own_vectors_and_equal_sequences_are_computed_once(
    job: Job, settings: Settings
) -> None:
    frames = read_table(job.paths.frames(0))
    vectors = embed_frames(prepare_engine(settings), frames, job)
    assert vectors is not None
    proteins = frames["protein"].to_pylist()
    assert len(vectors.protein) == len(set(proteins))
    twice = [*range(len(proteins)), *range(len(proteins))]
    doubled = embed_frames(prepare_engine(settings), frames.take(twice), job)
    assert doubled is not None
    np.testing.assert_array_equal(doubled.protein, vectors.protein)
    np.testing.assert_array_equal(doubled.protein_row, np.tile(vectors.protein_row, 2))


def test_a_file_of_other_frames_bundle_or_precision_does_not_count(job: Job, settings: Settings) -> None:
    embed_shard_files(job, 0, settings)
    embed_shard_files(job, 1, settings)
    right = job.paths.embedding(0).read_bytes()
    job.paths.embedding(0).write_bytes(job.paths.embedding(1).read_bytes())
    assert embed_shard_files(job, 0, settings)["state"] == "embedded"
    assert job.paths.embedding(0).read_bytes() == right


@pytest.mark.parametrize("cut", [0, 7, 100, -1])
def test_a_damaged_file_is_made_again(job: Job, settings: Settings, cut: int) -> None:
    embed_shard_files(job, 0, settings)
    right = job.paths.embedding(0).read_bytes()
    job.paths.embedding(0).write_bytes(right[:cut])
    assert embed_shard_files(job, 0, settings)["state"] == "embedded"
    assert job.paths.embedding(0).read_bytes() == right


def test_failures_are_counted_and_end_in_quarantine(
    job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError("no memory for a pack")

    monkeypatch.setattr(embedding, "embed_frames", fail)
    states = [embed_shard_files(job, 0, settings)["state"] for _ in range(5)]
    assert states == ["failed", "failed", "failed", "quarantined", "quarantined"]
    record = json.loads(job.paths.quarantined(0).read_bytes())
    assert record["reason"] == "3 attempts: MemoryError: no memory for a pack"
    assert sum("failed" in entry for entry in attempts_of(job, 0)) == 3


def test_an_attempt_that_never_returns_counts_too(job: Job, settings: Settings) -> None:
    started = {"at": "", "host": "", "pid": 1, "device": "gpu0"}
    job.paths.attempts(0).write_text(f"{json.dumps(started)}\n" * 3)
    assert embed_shard_files(job, 0, settings)["state"] == "quarantined"
    assert json.loads(job.paths.quarantined(0).read_bytes())["reason"] == "3 attempts: its worker died each time"


def test_a_worker_with_another_bundle_refuses(job: Job, settings: Settings) -> None:
    other = replace(job, spec=replace(job.spec, bundle_digest="0" * 64))
    assert embed_shard_files(other, 0, settings)["state"] == "failed"
    assert "bundle" in attempts_of(job, 0)[-1]["failed"]
    assert not job.paths.embedding(0).exists()


def test_a_cancelled_job_is_left_before_and_within_a_shard(job: Job, settings: Settings) -> None:
    engine = prepare_engine(settings)
    cancel_job(job)
    assert embed_frames(engine, read_table(job.paths.frames(0)), job) is None
    assert embed_shard_files(job, 0, settings) == {"shard": 0, "state": "stopped"}
    assert not job.paths.embedding(0).exists()


def test_vectors_are_float32_of_the_bundles_widths(job: Job, settings: Settings) -> None:
    embed_shard_files(job, 0, settings)
    vectors = read_vectors(job.paths.embedding(0))
    assert vectors.nucleotide.dtype == vectors.protein.dtype == np.float32
    assert (vectors.nucleotide.shape[1], vectors.protein.shape[1]) == (96, 64)


def test_an_attempt_line_that_was_cut_off_counts_as_one(job: Job, settings: Settings) -> None:
    started = json.dumps({"at": "", "host": "", "pid": 1, "device": "gpu0"})
    job.paths.attempts(0).write_text(f"{started}\n{started}\n{started[:9]}")
    assert embed_shard_files(job, 0, settings)["state"] == "quarantined"


def test_a_full_disk_never_raises(job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedding, "_record_attempt", full)
    assert embed_shard_files(job, 0, settings) == {"shard": 0, "state": "failed"}

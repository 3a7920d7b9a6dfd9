from __future__ import annotations

import errno
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from job import SAMPLE, embed, finish_files, make_job, vectors_of

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.jobs.job import Job, cancel_job
from virnucpro_tasks.jobs.vectors import embedding_key
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.pipeline import score_in_background as module
from virnucpro_tasks.pipeline.repair import repair
from virnucpro_tasks.pipeline.score import shard_scores
from virnucpro_tasks.pipeline.score_in_background import BackgroundScorer
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.shards.scores import read_valid_scores, write_scores


def scored_job(settings: Settings, **changed: bool) -> Job:
    """A job of several shards that are embedded, and scored one after the other."""
    small = replace(settings, shard_tokens=1_500)
    job = make_job(small, SAMPLE, **changed)
    for shard in split_files(job):
        embed(job, shard, small)
        wait_for_scores()
    return job


def wait_for_scores() -> None:
    for thread in threading.enumerate():
        if thread.name == module.THREAD_NAME:
            thread.join()


def key_of(job: Job, shard: int) -> EmbeddingKey:
    return embedding_key(job, read_plan(job.paths.plan).shards[shard].digest)


def results_of(job: Job) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in job.paths.results.iterdir() if file.suffix in (".tsv", ".txt")}


def test_kept_scores_are_those_of_the_vectors(settings: Settings) -> None:
    job = scored_job(settings)
    head = load_head(demo_bundle())
    for shard in read_plan(job.paths.plan).to_embed:
        kept = read_valid_scores(job.paths.scores(shard), key_of(job, shard))
        assert kept is not None
        made = shard_scores(head, vectors_of(job, shard))
        np.testing.assert_array_equal(kept.scores, made.scores)
        np.testing.assert_array_equal(kept.quarantined, made.quarantined)
        assert kept.stats == made.stats


def test_finishing_needs_no_vectors_of_what_is_scored(settings: Settings) -> None:
    with_scores, without = scored_job(settings), scored_job(settings)
    for shard in read_plan(without.paths.plan).to_embed:
        without.paths.scores(shard).unlink()
        with_scores.paths.embedding(shard).write_bytes(b"")
    assert finish_files(with_scores) == finish_files(without) == []
    assert results_of(with_scores) == results_of(without) != {}
    assert not list(with_scores.paths.kept_scores.iterdir())


def test_vectors_that_stay_with_the_results_are_read(settings: Settings) -> None:
    job = scored_job(settings, keep_embeddings=True)
    job.paths.embedding(1).write_bytes(b"")
    assert finish_files(job) == [1]


def test_damaged_scores_and_those_of_other_work_are_not_used(settings: Settings) -> None:
    job = scored_job(settings)
    right = [read_valid_scores(job.paths.scores(shard), key_of(job, shard)) for shard in (0, 1)]
    other = replace(key_of(job, 1), precision="other")
    wrong = read_valid_scores(job.paths.scores(1), key_of(job, 1))
    assert wrong is not None
    write_scores(job.paths.scores(1), replace(wrong, scores=1 - wrong.scores), other)
    content = bytearray(job.paths.scores(0).read_bytes())
    content[-1] ^= 1
    job.paths.scores(0).write_bytes(content)
    assert repair(job, processes=1) == []
    for shard, scores in enumerate(right):
        made = read_valid_scores(job.paths.scores(shard), key_of(job, shard))
        assert made is not None and scores is not None
        np.testing.assert_array_equal(made.scores, scores.scores)


def test_one_shard_at_a_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = scored_job(settings)
    held = threading.Event()
    monkeypatch.setattr(module, "shard_scores", lambda *_: held.wait())
    scorer = BackgroundScorer()
    first = scorer.score(job, 0, vectors_of(job), key_of(job, 0))
    assert first is not None and scorer.score(job, 1, vectors_of(job, 1), key_of(job, 1)) is None
    held.set()
    first.join()
    assert scorer.score(job, 1, vectors_of(job, 1), key_of(job, 1)) is not None
    wait_for_scores()


def test_what_goes_wrong_is_logged_and_left_to_finishing(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    job = scored_job(settings)
    for file in job.paths.kept_scores.iterdir():
        file.unlink()
    job.paths.kept_scores.rmdir()
    job.paths.kept_scores.write_bytes(b"")
    thread = BackgroundScorer().score(job, 0, vectors_of(job), key_of(job, 0))
    assert thread is not None
    thread.join()
    assert "left to be scored at the end" in caplog.text and job.paths.kept_scores.is_file()
    assert finish_files(job) == []


def test_vectors_that_the_disk_refuses_are_computed_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = scored_job(settings)

    def broken(file: Path) -> None:
        raise OSError(errno.EIO, "input/output error", str(file))

    monkeypatch.setattr(module, "sync", broken)
    thread = BackgroundScorer().score(job, 1, vectors_of(job, 1), key_of(job, 1))
    assert thread is not None
    thread.join()
    assert "shard=1 is to be computed again" in caplog.text and not job.paths.embedding(1).exists()
    assert finish_files(job) == [1]


def test_vectors_are_synced_behind_the_next_shard(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[Path, str]] = []
    monkeypatch.setattr(module, "sync", lambda file: synced.append((file, threading.current_thread().name)))
    job = scored_job(settings)
    assert synced == [(job.paths.embedding(shard), module.THREAD_NAME) for shard in read_plan(job.paths.plan).to_embed]


def test_nothing_is_scored_of_a_job_that_has_ended(settings: Settings) -> None:
    job = scored_job(settings)
    job.paths.scores(0).unlink()
    cancel_job(job)
    thread = BackgroundScorer().score(job, 0, vectors_of(job), key_of(job, 0))
    assert thread is not None
    thread.join()
    assert not job.paths.scores(0).exists()

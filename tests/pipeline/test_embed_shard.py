from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from job import SAMPLE, embed, make_job, vectors_of, worker_of

from virnucpro_tasks.embed.engine import Embedded, Engine, NonFiniteError
from virnucpro_tasks.embed.parity import Parity
from virnucpro_tasks.embed.self_check import PrecisionError
from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.jobs.job import Job, cancel_job, remove_job, reopen_job
from virnucpro_tasks.jobs.store_id import store_id
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.pipeline import embed_shard
from virnucpro_tasks.pipeline.embed_shard import ShardWorker, embed_frames
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.recovery import attempt
from virnucpro_tasks.recovery.events import Began, FailedOutside, Passed, RecordsAtFault, read_events
from virnucpro_tasks.recovery.history import History
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.tables import read_table
from virnucpro_tasks.shards.vectors import NO_VECTOR


@pytest.fixture
def job(settings: Settings) -> Job:
    job = make_job(replace(settings, shard_tokens=500), SAMPLE)
    assert len(list(split_files(job))) > 2
    return job


@pytest.fixture
def mixed(settings: Settings) -> Job:
    """A job whose only shard holds several records."""
    job = make_job(settings, SAMPLE)
    assert list(split_files(job)) == [0]
    return job


def attempts_of(job: Job, shard: int) -> list[Began]:
    return [event for event in read_events(job.paths.attempts(shard)) if isinstance(event, Began)]


def test_a_shard_becomes_a_file_once(job: Job, settings: Settings) -> None:
    assert embed(job, 0, settings) == "embedded"
    written = job.paths.embedding(0).stat().st_mtime_ns
    assert embed(job, 0, settings) == "embedded"
    assert job.paths.embedding(0).stat().st_mtime_ns == written
    assert len(attempts_of(job, 0)) == 1


def test_every_frame_points_to_its_own_vectors_and_equal_sequences_are_computed_once(
    job: Job, settings: Settings
) -> None:
    frames = read_table(job.paths.frames(0))
    vectors = embed_frames(worker_of(settings).engine(), frames, lambda: False)
    assert vectors is not None
    proteins = frames["protein"].to_pylist()
    assert len(vectors.protein) == len(set(proteins))
    twice = [*range(len(proteins)), *range(len(proteins))]
    doubled = embed_frames(worker_of(settings).engine(), frames.take(twice), lambda: False)
    assert doubled is not None
    np.testing.assert_array_equal(doubled.protein, vectors.protein)
    np.testing.assert_array_equal(doubled.protein_row, np.tile(vectors.protein_row, 2))


def test_a_file_of_other_frames_bundle_or_precision_does_not_count(job: Job, settings: Settings) -> None:
    embed(job, 0, settings)
    embed(job, 1, settings)
    right = job.paths.embedding(0).read_bytes()
    job.paths.embedding(0).write_bytes(job.paths.embedding(1).read_bytes())
    assert embed(job, 0, settings) == "embedded"
    assert job.paths.embedding(0).read_bytes() == right


@pytest.mark.parametrize("cut", [0, 7, 100, -1])
def test_a_damaged_file_is_made_again(job: Job, settings: Settings, cut: int) -> None:
    embed(job, 0, settings)
    right = job.paths.embedding(0).read_bytes()
    job.paths.embedding(0).write_bytes(right[:cut])
    assert embed(job, 0, settings) == "embedded"
    assert job.paths.embedding(0).read_bytes() == right


def poison(monkeypatch: pytest.MonkeyPatch, is_poison: Callable[[str], bool]) -> None:
    """Let the engine of this process raise for such proteins, unless they are masked."""
    whole_embed = Engine.embed

    def poisoned(self: Engine, nucleotides: list[str], proteins: list[str], **options: Any) -> Embedded:
        masked = options.get("masked_proteins", ())
        if any(is_poison(protein) for index, protein in enumerate(proteins) if index not in masked):
            raise MemoryError("no memory for a pack")
        return whole_embed(self, nucleotides, proteins, **options)

    monkeypatch.setattr(Engine, "embed", poisoned)


def test_a_record_at_fault_is_found_and_all_others_have_the_vectors_of_a_quiet_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet, job = make_job(settings, SAMPLE), make_job(settings, SAMPLE)
    for one in (quiet, job):
        list(split_files(one))
    embed(quiet, 0, settings)
    frames = read_table(job.paths.frames(0))
    victim = frames["record_ordinal"][frames.num_rows // 2].as_py()
    at_fault = np.array([ordinal == victim for ordinal in frames["record_ordinal"].to_pylist()])
    own = {protein for protein, bad in zip(frames["protein"].to_pylist(), at_fault, strict=True) if bad}
    poison(monkeypatch, own.__contains__)
    states = [embed(job, 0, settings) for _ in range(5)]
    assert states == ["failed", "failed", "failed", "quarantined", "quarantined"]
    (found,) = json.loads(job.paths.quarantined(0).read_bytes())["records"]
    assert (found["record_ordinal"], found["reason"]) == (victim, "2 attempts: MemoryError: no memory for a pack")
    vectors, undisturbed = (vectors_of(one) for one in (job, quiet))
    for name in ("nucleotide", "protein"):
        rows, before = getattr(vectors, f"{name}_row"), getattr(undisturbed, f"{name}_row")
        assert (rows[at_fault] == NO_VECTOR).all()
        mine, theirs = getattr(vectors, name)[rows[~at_fault]], getattr(undisturbed, name)[before[~at_fault]]
        assert mine.tobytes() == theirs.tobytes()


def test_a_shard_whose_records_are_all_at_fault_is_finished_without_vectors(
    job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda protein: len(protein) > 3)
    states = [embed(job, 0, settings) for _ in range(4)]
    assert states[-1] == "quarantined"
    assert (vectors_of(job).protein_row == NO_VECTOR).all()


def test_a_shard_that_passes_only_in_pieces_loses_nothing(
    mixed: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed(mixed, 0, settings)
    right = vectors_of(mixed)
    mixed.paths.embedding(0).unlink()
    mixed.paths.attempts(0).unlink()
    whole_embed, most = Engine.embed, len(right.protein) - 1

    def small_only(self: Engine, nucleotides: list[str], proteins: list[str], **options: Any) -> Embedded:
        if len(proteins) > most:
            raise MemoryError("too much at once")
        return whole_embed(self, nucleotides, proteins, **options)

    monkeypatch.setattr(Engine, "embed", small_only)
    assert [embed(mixed, 0, settings) for _ in range(4)][-1] == "embedded"
    vectors = vectors_of(mixed)
    np.testing.assert_allclose(
        vectors.protein[vectors.protein_row], right.protein[right.protein_row], rtol=1e-4, atol=1e-5
    )


def test_nan_names_its_records_without_bisection(
    mixed: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = read_table(mixed.paths.frames(0))
    proteins = frames["protein"].combine_chunks().dictionary_encode()
    whole_embed = Engine.embed

    def non_finite(self: Engine, nucleotides: list[str], proteins: list[str], **options: Any) -> Embedded:
        if 2 not in options.get("masked_proteins", ()):
            raise NonFiniteError("esm2", [2])
        return whole_embed(self, nucleotides, proteins, **options)

    monkeypatch.setattr(Engine, "embed", non_finite)
    assert embed(mixed, 0, settings) == "quarantined"
    owner = frames["record_ordinal"][proteins.indices.to_pylist().index(2)].as_py()
    (found,) = json.loads(mixed.paths.quarantined(0).read_bytes())["records"]
    assert (found["record_ordinal"], found["reason"]) == (owner, "esm2 gives NaN or infinity in FP32")
    assert [(type(event), event.probe) for event in read_events(mixed.paths.attempts(0))] == [
        (Began, "whole"),
        (RecordsAtFault, "whole"),
        (Began, "whole"),
        (Passed, "whole"),
    ]


def test_attempts_that_never_returned_blame_no_record_that_can_be_computed(mixed: Job, settings: Settings) -> None:
    started = {"at": "", "host": "", "pid": 1, "device": "gpu0"}
    mixed.paths.attempts(0).write_text(f"{json.dumps(started)}\n" * 3)
    assert embed(mixed, 0, settings) == "embedded"
    assert not mixed.paths.quarantined(0).exists()


def test_a_process_whose_device_computes_nothing_any_more_ends(
    job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(BaseException):
        pass

    def ended(status: int) -> None:
        raise Ended

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    worker_of(settings).engine()
    monkeypatch.setattr(Engine, "embed", broken)
    monkeypatch.setattr("os._exit", ended)
    with pytest.raises(Ended):
        embed(job, 0, settings)


def test_a_worker_with_another_bundle_refuses_and_a_job_that_only_meets_such_ends(job: Job, settings: Settings) -> None:
    other = replace(job, spec=msgspec.structs.replace(job.spec, bundle_digest="0" * 64))
    for number in range(job.spec.parameters.max_attempts):
        assert not job.paths.failed.exists()
        assert embed(other, 0, settings) == "failed"
        failures = [event for event in read_events(job.paths.attempts(0)) if isinstance(event, FailedOutside)]
        assert len(failures) == number + 1
    assert "this worker has bundle" in json.loads(job.paths.failed.read_bytes())["message"]
    assert not job.paths.embedding(0).exists()
    reopen_job(job, retry_quarantined=False)
    assert embed(job, 0, settings) == "embedded"


def test_a_table_that_cannot_be_read_ends_the_job_with_its_name(job: Job, settings: Settings) -> None:
    job.paths.frames(0).write_bytes(b"PAR1 no more")
    for _ in range(job.spec.parameters.max_attempts):
        assert embed(job, 0, settings) == "failed"
    assert "shard 0" in json.loads(job.paths.failed.read_bytes())["message"]


def test_a_refused_precision_ends_the_job_at_once(
    job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Engine:
        raise PrecisionError("fp8", Parity(284, 0.99, 0.9, 0.03))

    monkeypatch.setattr(ShardWorker, "engine", refuse)
    assert embed(job, 0, settings) == "failed"
    assert "3.00% of calls changed" in json.loads(job.paths.failed.read_bytes())["message"]
    assert embed(job, 1, settings) == "stopped"


def test_a_cancelled_job_is_left_before_and_within_a_shard(job: Job, settings: Settings) -> None:
    engine = worker_of(settings).engine()
    cancel_job(job)
    assert embed_frames(engine, read_table(job.paths.frames(0)), lambda: True) is None
    assert embed(job, 0, settings) == "stopped"
    assert not job.paths.embedding(0).exists()


def test_vectors_are_float32_of_the_bundles_widths(job: Job, settings: Settings) -> None:
    embed(job, 0, settings)
    vectors = vectors_of(job)
    assert vectors.nucleotide.dtype == vectors.protein.dtype == np.float32
    description = demo_bundle().description
    widths = (vectors.nucleotide.shape[1], vectors.protein.shape[1])
    assert widths == (description.nucleotide_width, description.protein_width)


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_store_that_takes_nothing_is_named_and_nothing_is_said_against_the_shard(
    job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(attempt, "append_event", full)
        with pytest.raises(StoreError, match="No space left on device"):
            embed(job, 0, settings)
    with monkeypatch.context() as broken:
        broken.setattr(embed_shard, "write_vectors", full)
        for _ in range(5):
            with pytest.raises(StoreError, match="No space left on device"):
                embed(job, 0, settings)
    history = History.of(read_events(job.paths.attempts(0)))
    assert (history.begun["whole"], history.tries("whole")) == (5, 0)
    assert embed(job, 0, settings) == "embedded"


def test_a_job_that_is_removed_while_a_shard_is_computed_stops(
    job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store_id(settings.store)
    write_vectors = embed_shard.write_vectors

    def remove(*arguments: Any) -> None:
        remove_job(job, force=True)
        write_vectors(*arguments)

    monkeypatch.setattr(embed_shard, "write_vectors", remove)
    assert embed(job, 1, settings) == "stopped"
    assert list(job.paths.root.parent.iterdir()) == []
    assert f"job={job.job_id} was removed while shard=1 was computed" in caplog.text


def test_a_store_that_is_away_is_not_told_as_a_job_that_was_removed(
    job: Job, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store_id(settings.store)
    write_vectors = embed_shard.write_vectors

    def lose(*arguments: Any) -> None:
        settings.store.rename(settings.store.with_name("elsewhere"))
        write_vectors(*arguments)

    monkeypatch.setattr(embed_shard, "write_vectors", lose)
    assert embed(job, 1, settings) == "stopped"
    assert "removed" not in caplog.text


def test_the_share_of_a_shard_is_told_up_to_its_end(mixed: Job, settings: Settings) -> None:
    told: list[float] = []
    assert worker_of(settings).embed(mixed, 0, tell_share=told.append) == "embedded"
    assert told and told == sorted(told) and told[-1] == pytest.approx(1.0)
    # Nothing is left to tell of a finished shard
    told.clear()
    assert worker_of(settings).embed(mixed, 0, tell_share=told.append) == "embedded"
    assert told == []

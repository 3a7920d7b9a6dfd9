"""Embedding one shard of a job, in the worker process that owns the device."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from virnucpro_tasks.errors import BundleError, ExitCode, StoreError, VirnucproError
from virnucpro_tasks.files import as_store_error, raising_store_errors
from virnucpro_tasks.jobs.job import Job, fail_job, is_stopped
from virnucpro_tasks.jobs.vectors import embedding_key
from virnucpro_tasks.models.locate import find_bundle
from virnucpro_tasks.pipeline.fp8_check import fp8_check
from virnucpro_tasks.pipeline.score_in_background import score_in_background
from virnucpro_tasks.pipeline.shard_vectors import embed_frames, embed_parts, is_sound, no_vectors, records_with
from virnucpro_tasks.processes import deadline
from virnucpro_tasks.recovery.attempts import WHOLE, History, read_attempts, record
from virnucpro_tasks.recovery.bisect import GIVEN_UP, PIECES, Step, next_step
from virnucpro_tasks.recovery.quarantine import write_quarantine
from virnucpro_tasks.recovery.takeover import TakeoverCheck
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.files import (
    ShardVectors,
    frames_digest,
    read_table,
    vectors_are_valid,
    write_vectors,
)

if TYPE_CHECKING:
    from virnucpro_tasks.embed.engine import Engine

log = logging.getLogger(__name__)

OUTSIDE = "outside"
"""The step of a failure outside of any attempt's work."""

TAKEN_OVER = "taken over"

SHORTEST_LIMIT_SECONDS = 60.0
"""A part of a shard has a share of the time limit, but so much at least."""

_engines: dict[tuple[str, str], Engine] = {}
"""The engines of this process by bundle and precision: loaded once, kept. Only one that owns a device fills it."""


def prepare_engine(settings: Settings, *, precision: str | None = None) -> Engine:
    """Load the models of the settings' bundle onto this process's device, once a precision.

    Raises BundleError or BackendError.
    """
    bundle = find_bundle(settings.bundle)
    precision = precision or settings.precision or bundle.description.precision
    key = (bundle.digest, precision)
    if key not in _engines:
        # Imported here: torch must load in the process that owns the device, never in its parent.
        from virnucpro_tasks.embed.engine import Engine, EngineOptions
        from virnucpro_tasks.embed.self_check import FP8_ATTENTION

        device = "cuda" if os.environ.get("CUDA_VISIBLE_DEVICES") else "cpu"
        engine = _engines[key] = Engine.load(
            bundle,
            EngineOptions(
                device=device,
                precision=precision,
                attention=settings.attention,
                token_budget=settings.token_budget,
                threads=settings.cpu_threads,
            ),
            check=fp8_check(bundle) if precision in FP8_ATTENTION else None,
        )
        log.info(
            "device=%s bundle=%s precision=%s attention=%s token_budget=%s",
            *(device, bundle.digest[:12], precision, engine.attention, engine.token_budget),
        )
    return _engines[key]


def embed_shard_files(job: Job, shard: int, settings: Settings, *, message: str = "") -> dict[str, Any]:
    """Embed shard number `shard` unless that is done; returns `{"shard", "state"}`, nothing that can differ.

    `state` is embedded, quarantined (embedded, but for records at fault), stopped (the job needs no more work), failed
    (to be tried again) or TAKEN_OVER (somebody else has the message, whose delivery tag is `message`). Raises nothing
    but StoreError, for a store that cannot be written or read.

    An attempt is recorded before the work; a shard that failed `max_attempts` times is bisected here to the records at
    fault, and all others are embedded.
    """
    try:
        return {"shard": shard, "state": _embed(job, shard, settings, message)}
    except Exception as error:
        if (failure := as_store_error(error)) is not None:
            raise failure from error
        log.exception("job=%s shard=%d failed", job.job_id, shard)
        with raising_store_errors():
            _count_outside(job, shard, error)
        return {"shard": shard, "state": "failed"}


def _count_outside(job: Job, shard: int, error: Exception) -> None:
    """Note a failure outside of any attempt's work: a file that cannot be read or written, a model that is not there.

    No record is at fault, so there is nothing to bisect; after `max_attempts` of them the job ends. A precision that
    does not pass its check with this bundle will not on another worker either.
    """
    file = job.paths.attempts(shard)
    reason = str(error) if isinstance(error, VirnucproError) else f"{type(error).__name__}: {error}"
    record(file, OUTSIDE, failed=reason)
    failures = sum(entry.get("step") == OUTSIDE for entry in read_attempts(file))
    refused = isinstance(error, VirnucproError) and error.is_final
    if refused or failures >= job.spec.parameters.max_attempts:
        fail_job(job, f"shard {shard}: {reason}", exit_code=ExitCode.JOB_FAILED)


@dataclass(frozen=True, slots=True)
class _Shard:
    """A shard at work: its frames, the ordinals of the records that have any, and where its vectors go."""

    job: Job
    number: int
    frames: pa.Table
    ordinals: list[int]
    key: EmbeddingKey
    message: str

    def step(self, history: History) -> Step:
        return next_step(history, self.ordinals, max_attempts=self.job.spec.parameters.max_attempts)

    def records_of(self, step: Step) -> list[list[int]]:
        return [self.ordinals[part.first : part.stop] for part in step.parts]

    def frames_of(self, step: Step) -> pa.Table:
        """The frames of a probe, without those of records that are known to be at fault."""
        (part,) = self.records_of(step)
        chosen = set(part) - set(step.culprits)
        return self.frames.filter(pc.is_in(self.frames["record_ordinal"], pa.array(sorted(chosen), pa.int64())))


def _embed(job: Job, shard: int, settings: Settings, message: str) -> str:
    if is_stopped(job.paths):
        return "stopped"
    frames = read_table(job.paths.frames(shard))
    key = embedding_key(job, frames_digest(frames))
    if (state := _finished(job, shard, key)) is not None:
        return state
    # Before the clock of the attempt runs: it may load models.
    engine = prepare_engine(settings, precision=job.spec.parameters.precision)
    if engine.bundle_digest != job.spec.bundle_digest:
        raise BundleError(f"this worker has bundle {engine.bundle_digest[:12]}, the job {job.spec.bundle_digest[:12]}")
    work = _Shard(job, shard, frames, list(dict.fromkeys(frames["record_ordinal"].to_pylist())), key, message)
    while True:
        step = work.step(History.of(read_attempts(job.paths.attempts(shard))))
        if step.name == GIVEN_UP:
            return _finish(work, step, no_vectors(frames.num_rows))
        outcome = _attempt(work, step, engine, settings)
        if outcome is not None:
            return outcome


def _finished(job: Job, shard: int, key: EmbeddingKey) -> str | None:
    """The state of a shard that has valid vectors."""
    if not vectors_are_valid(job.paths.embedding(shard), key):
        return None
    return "quarantined" if job.paths.quarantined(shard).exists() else "embedded"


def _attempt(work: _Shard, step: Step, engine: Engine, settings: Settings) -> str | None:
    """Take one step; returns the state of the shard if that ends the task, None if the next step is to follow."""
    from virnucpro_tasks.embed.engine import NonFiniteError

    file = work.job.paths.attempts(work.number)
    frames = work.frames_of(step) if step.is_probe else work.frames
    limit_seconds = _limit_seconds(frames, work.frames, settings)
    device = os.environ.get("VIRNUCPRO_WORKER_DEVICE", "")
    end = record(
        *(file, step.name), device=device, parent=os.getppid(), limit_seconds=limit_seconds, message=work.message
    )
    elsewhere = TakeoverCheck(file, work.job.paths.embedding(work.number), end=end, message=work.message)

    def should_stop() -> bool:
        return is_stopped(work.job.paths) or elsewhere.is_finished() or elsewhere.is_taken_over()

    try:
        with deadline(limit_seconds):
            if step.is_probe:
                vectors = embed_frames(engine, frames, should_stop)
            elif step.name == PIECES:
                parts = work.records_of(step)
                vectors = embed_parts(engine, frames, should_stop, parts, without=step.culprits)
            else:
                vectors = embed_frames(engine, frames, should_stop, without=step.culprits)
    except NonFiniteError as error:
        # Computed to the end, twice if there is a way to: nothing to try again, and its records are known.
        culprits = records_with(frames, error)
        log.warning("job=%s shard=%d step=%s: %s: records %s", *_named(work, step), error.what, culprits)
        record(file, step.name, failed=f"{error.model} gives NaN or infinity in FP32", culprits=culprits)
        return None
    except Exception as error:
        if (failure := as_store_error(error)) is not None:
            _store_failed(work, step, failure)
            raise failure from error
        log.warning("job=%s shard=%d step=%s failed", *_named(work, step), exc_info=True)
        record(file, step.name, failed=f"{type(error).__name__}: {error}")
        if not is_sound(engine):
            log.critical("the device computes nothing any more: this process ends, another one is started")
            os._exit(ExitCode.UNEXPECTED)
        # What fails at first may be the fault of this host; later it is a question of which records.
        return "failed" if step.name == WHOLE else None
    if vectors is None:
        record(file, step.name, handed_back=True)
        return _left(work, elsewhere)
    try:
        if step.is_probe:
            record(file, step.name, done=True)
            return None
        return _finish(work, step, vectors)
    except Exception as error:
        if (failure := as_store_error(error)) is not None:
            _store_failed(work, step, failure)
        raise


def _left(work: _Shard, elsewhere: TakeoverCheck) -> str | None:
    """The state of a shard whose attempt was told to stop; None if it is to go on after all."""
    if is_stopped(work.job.paths):
        return "stopped"
    if (state := _finished(work.job, work.number, work.key)) is not None:
        log.warning("job=%s shard=%d was finished elsewhere meanwhile", work.job.job_id, work.number)
        return state
    if (other := elsewhere.taken_over_by) is not None:
        log.warning(
            "job=%s shard=%d was started again by process %s on %s, which has its message now: left to that one",
            *(work.job.job_id, work.number, other.get("pid"), other.get("host")),
        )
        return TAKEN_OVER
    return None


def _store_failed(work: _Shard, step: Step, failure: StoreError) -> None:
    """Note that an attempt says nothing against its records, if even that can be written."""
    with suppress(OSError):
        record(work.job.paths.attempts(work.number), step.name, store=failure.what, started=True)


def _finish(work: _Shard, step: Step, vectors: ShardVectors) -> str:
    if step.culprits:
        write_quarantine(work.job.paths, work.number, step.culprits)
    write_vectors(work.job.paths.embedding(work.number), vectors, work.key)
    score_in_background(work.job, work.number, vectors, work.key)
    return "quarantined" if step.culprits else "embedded"


def _limit_seconds(part: pa.Table, whole: pa.Table, settings: Settings) -> float:
    share = float(np.divide(part["protein"].nbytes, whole["protein"].nbytes))
    limit = settings.shard_time_limit_seconds
    return min(limit, max(SHORTEST_LIMIT_SECONDS, share * limit))


def _named(work: _Shard, step: Step) -> tuple[str, int, str]:
    return work.job.job_id, work.number, step.name

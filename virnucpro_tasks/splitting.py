"""Splitting a job: its input files to shard files, streamed."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from virnucpro_tasks.errors import ExitCode, InputError, VirnucproError
from virnucpro_tasks.jobs import Job, fail_job, is_stopped
from virnucpro_tasks.models.bundle import file_sha256
from virnucpro_tasks.reads.batches import ReadInput, frame_batches
from virnucpro_tasks.shards.cut import cut_shards
from virnucpro_tasks.shards.files import EmbeddingKey, vectors_are_valid, write_shard
from virnucpro_tasks.shards.plan import Plan, ShardEntry, read_plan, write_plan

log = logging.getLogger(__name__)


def split_files(job: Job) -> Iterator[int]:
    """Write the shards of a job and yield the number of each that is to be embedded, as soon as it is on disk.

    plan.json is written after the last. If it is there already, only the shards without a result are yielded.
    Bad input ends the iteration and is recorded in failed.json; so is any other error, which is then logged.
    """
    if is_stopped(job.paths):
        return
    if job.paths.plan.exists():
        yield from missing_shards(job, read_plan(job.paths.plan))
        return
    try:
        yield from _split(job)
    except VirnucproError as error:
        fail_job(job, str(error), exit_code=error.exit_code)
    except Exception as error:
        log.exception("job=%s splitting failed", job.job_id)
        fail_job(job, f"splitting failed: {type(error).__name__}: {error}", exit_code=ExitCode.UNEXPECTED)


def missing_shards(job: Job, plan: Plan) -> list[int]:
    """Numbers of the shards that have frames but no valid vectors."""
    return [
        number
        for number in plan.to_embed
        if not vectors_are_valid(job.paths.embedding(number), embedding_key(job, plan.shards[number].digest))
    ]


def embedding_key(job: Job, shard_digest: str) -> EmbeddingKey:
    """The key of a shard's vectors in this job."""
    return EmbeddingKey(shard_digest, job.spec.bundle_digest, job.spec.parameters.precision)


def _split(job: Job) -> Iterator[int]:
    parameters = job.spec.parameters
    batches = frame_batches(
        [ReadInput(job.paths.input(ordinal), entry.name) for ordinal, entry in enumerate(job.spec.inputs)],
        chunk_length=parameters.chunk_length,
        min_length=parameters.min_length,
        strict=parameters.strict,
    )
    entries: list[ShardEntry] = []
    for number, shard in enumerate(cut_shards(batches, first_budget=parameters.shard_tokens)):
        entry = write_shard(shard, frames=job.paths.frames(number), ledger=job.paths.ledger(number))
        entries.append(entry)
        if is_stopped(job.paths):
            return
        if entry.frames:
            yield number
    for ordinal, staged in enumerate(job.spec.inputs):
        if file_sha256(job.paths.input(ordinal)) != staged.sha256:
            raise InputError("changed while the job was reading it", file=staged.name, hint="submit it again")
    write_plan(job.paths.plan, entries)

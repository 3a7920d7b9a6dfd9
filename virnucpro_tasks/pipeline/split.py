"""Splitting a job: its input files to shard files, streamed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from virnucpro_tasks.errors import DamagedError, ExitCode, InputError, VirnucproError
from virnucpro_tasks.files import as_store_error, file_matches
from virnucpro_tasks.jobs.job import Job, fail_job, is_stopped
from virnucpro_tasks.jobs.vectors import embedding_key
from virnucpro_tasks.reads.batches import ReadInput, frame_batches
from virnucpro_tasks.reads.tables import FrameBatch
from virnucpro_tasks.shards.cut import cut_shards, split_tail
from virnucpro_tasks.shards.files import vectors_are_valid, write_shard
from virnucpro_tasks.shards.plan import Plan, ShardEntry, read_plan, write_plan

log = logging.getLogger(__name__)


def split_files(job: Job) -> Iterator[int]:
    """Write the shards of a job and yield the number of each that is to be embedded, as soon as it is on disk.

    plan.json is written after the last. If it is there already, only the shards without a result are yielded.
    Bad input ends the iteration and is recorded in failed.json; so is any other error, which is then logged. Raises
    StoreError for a store that cannot be written.
    """
    if is_stopped(job.paths):
        return
    if (plan := load_plan(job)) is not None:
        yield from missing_shards(job, plan)
        return
    try:
        yield from _split(job)
    except VirnucproError as error:
        fail_job(job, str(error), exit_code=error.exit_code)
    except Exception as error:
        if (failure := as_store_error(error)) is not None:
            raise failure from error
        log.exception("job=%s splitting failed", job.job_id)
        fail_job(job, f"splitting failed: {type(error).__name__}: {error}", exit_code=ExitCode.UNEXPECTED)


def load_plan(job: Job) -> Plan | None:
    """The plan of a job; None if it is not there, or was damaged: then it is deleted, and splitting makes it again."""
    try:
        return read_plan(job.paths.plan)
    except FileNotFoundError:
        return None
    except DamagedError as error:
        log.warning("job=%s: %s: the input is split again", job.job_id, error)
        job.paths.plan.unlink(missing_ok=True)
        return None


def rebuild_shards(job: Job, plan: Plan, numbers: Iterable[int]) -> None:
    """Cut those of the shards `numbers` again from the input whose files are not those of the plan.

    Raises DamagedError for the first that does not come out the same: the input was changed, or the package.
    """
    damaged = {number: path for number in numbers if (path := _damaged_file(job, plan, number)) is not None}
    if not damaged:
        return
    # Before anything is written: what another input gives must not replace what is sound.
    for ordinal, staged in enumerate(job.spec.inputs):
        if not file_matches(job.paths.input(ordinal), staged.sha256):
            raise DamagedError(min(damaged.values()))
    log.warning("job=%s: damaged, and cut again: %s", job.job_id, ", ".join(map(str, damaged.values())))
    for number, shard in enumerate(_cut(job)):
        if number in damaged:
            write_shard(shard, frames=job.paths.frames(number), chunks=job.paths.chunks(number))
        if number >= max(damaged):
            break
    for number in damaged:
        if (path := _damaged_file(job, plan, number)) is not None:
            raise DamagedError(path)


def _damaged_file(job: Job, plan: Plan, number: int) -> Path | None:
    entry = plan.shards[number]
    for path, sha256 in (
        (job.paths.frames(number), entry.frames_sha256),
        (job.paths.chunks(number), entry.chunks_sha256),
    ):
        if not file_matches(path, sha256):
            return path
    return None


def missing_shards(job: Job, plan: Plan) -> list[int]:
    """Numbers of the shards that have frames but no valid vectors."""
    return [
        number
        for number in plan.to_embed
        if not vectors_are_valid(job.paths.embedding(number), embedding_key(job, plan.shards[number].digest))
    ]


def _cut(job: Job) -> Iterator[FrameBatch]:
    """The shards of a job from its input, in order."""
    parameters = job.spec.parameters
    batches = frame_batches(
        [ReadInput(job.paths.input(ordinal), entry.name) for ordinal, entry in enumerate(job.spec.inputs)],
        chunk_length=parameters.chunk_length,
        min_length=parameters.min_length,
        strict=parameters.strict,
    )
    return split_tail(cut_shards(batches, first_budget=parameters.shard_tokens))


def _split(job: Job) -> Iterator[int]:
    entries: list[ShardEntry] = []
    for number, shard in enumerate(_cut(job)):
        entry = write_shard(shard, frames=job.paths.frames(number), chunks=job.paths.chunks(number))
        entries.append(entry)
        if is_stopped(job.paths):
            return
        if entry.frames:
            yield number
    for ordinal, staged in enumerate(job.spec.inputs):
        if not file_matches(job.paths.input(ordinal), staged.sha256):
            raise InputError("changed while the job was reading it", file=staged.name, hint="submit it again")
    write_plan(job.paths.plan, entries)

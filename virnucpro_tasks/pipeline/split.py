"""Splitting a job: its input files to shard files, streamed."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby

import pyarrow as pa

from virnucpro_tasks.errors import DamagedError, EmptyInputError, InputError
from virnucpro_tasks.jobs.job import Job, began_anew, is_stopped
from virnucpro_tasks.jobs.stored_inputs import reading_stored_inputs
from virnucpro_tasks.jobs.vectors import embedding_key
from virnucpro_tasks.paths import SPLITTING
from virnucpro_tasks.reads.batches import frame_batches
from virnucpro_tasks.reads.inputs import each_input
from virnucpro_tasks.reads.tables import FrameBatch
from virnucpro_tasks.recovery.stage import failing_job
from virnucpro_tasks.shards.cut import cut_shards, split_tail
from virnucpro_tasks.shards.input_facts import InputTally
from virnucpro_tasks.shards.plan import Plan, ShardEntry, read_plan, write_plan
from virnucpro_tasks.shards.tables import write_shard
from virnucpro_tasks.shards.vectors import vectors_are_valid
from virnucpro_tasks.system.files import file_matches

log = logging.getLogger(__name__)


def split_files(job: Job) -> Iterator[int]:
    """Write the shards of a job and yield the number of each that is to be embedded, as soon as it is on disk.

    plan.json is written after the last. If it exists already, only the shards without valid vectors are yielded. An
    error ends the iteration and is written to failed.json. Raises StoreError for a file system that refuses files.
    """
    if is_stopped(job.paths):
        return
    with failing_job(job, SPLITTING):
        job.paths.make_folders()
        plan = load_plan(job)
        yield from _split(job) if plan is None else missing_shards(job, plan)


def load_plan(job: Job) -> Plan | None:
    """Read the plan of a job; None if it is missing, or was damaged: then it is deleted, to be written anew."""
    try:
        return read_plan(job.paths.plan)
    except FileNotFoundError:
        return None
    except DamagedError as error:
        log.warning("job=%s: %s: the input is split again", job.job_id, error)
        job.paths.plan.unlink(missing_ok=True)
        return None


def missing_shards(job: Job, plan: Plan) -> list[int]:
    """Numbers of the shards that have frames but no valid vectors."""
    return [
        number
        for number in plan.to_embed
        if not vectors_are_valid(job.paths.embedding(number), embedding_key(job, plan.shards[number].digest))
    ]


def cut_input(
    job: Job, *, skipped: Counter[int] | None = None, ambiguous: Counter[int] | None = None
) -> Iterator[FrameBatch]:
    """The shards of a job from its input, in order; none of an empty one. The counters are those of `frame_batches`.

    Each sample is cut as if it were alone, so that its vectors are those of a job of its own, to the last bit.
    """
    if job.is_empty:
        with suppress(EmptyInputError):
            deque(each_input(job.inputs, skipped=skipped), maxlen=0)
        return
    parameters = job.spec.parameters
    batches = frame_batches(
        job.inputs,
        chunk_length=parameters.chunk_length,
        min_length=parameters.min_length,
        strict=parameters.strict,
        coverage=parameters.coverage,
        both_strands=parameters.has_both_strands,
        skipped=skipped,
        ambiguous=ambiguous,
    )
    for _, of_sample in groupby(_from_store(batches), key=lambda batch: sample_of(job, batch.chunks)):
        yield from split_tail(cut_shards(of_sample, first_budget=parameters.shard_tokens))


def sample_of(job: Job, chunks: pa.Table) -> str:
    """The name of the sample to which a shard belongs, empty without a sample sheet."""
    return job.spec.inputs[chunks["input_ordinal"][0].as_py()].sample


def _from_store(batches: Iterable[FrameBatch]) -> Iterator[FrameBatch]:
    with reading_stored_inputs():
        yield from batches


def _split(job: Job) -> Iterator[int]:
    entries: list[ShardEntry] = []
    tally = InputTally()
    for number, shard in enumerate(cut_input(job, skipped=tally.skipped, ambiguous=tally.ambiguous)):
        tally.add(shard)
        entry = write_shard(shard, frames=job.paths.frames(number), chunks=job.paths.chunks(number))
        entries.append(entry)
        if is_stopped(job.paths):
            return
        if entry.frames:
            yield number
    for ordinal, staged in enumerate(job.spec.inputs):
        if not file_matches(job.paths.input(ordinal), staged.sha256):
            raise InputError("changed while the job was reading it", file=staged.name, hint="submit it again")
    if began_anew(job):
        return
    write_plan(job.paths.plan, entries, tally.facts(len(job.spec.inputs)))

"""Estimates the disk space, files and memory of Redis that a job needs, from its beginning and the size of its input.

The figures of one frame, chunk and record were measured with the sample and with random reads of 150 bases; a job of
other sequences may need half or twice as much.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
from msgspec.structs import astuple

from virnucpro_tasks.errors import StoreError, counted, size_text
from virnucpro_tasks.jobs.cost import Cost, cost_of
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.room_for_copies import ADVICE
from virnucpro_tasks.models.bundle import read_description
from virnucpro_tasks.reads.bam import BAM_MAGIC
from virnucpro_tasks.reads.inputs import ReadInput
from virnucpro_tasks.reads.sources import open_input
from virnucpro_tasks.shards.plan import SHARDS_PER_GROWTH
from virnucpro_tasks.system.file_operations import persistently

FLOAT_BYTES = 4
SCORE_BYTES = 9
TABLE_BYTES_A_TOKEN, TABLE_BYTES_A_CHUNK = 2, 4
"""Compressed bytes in shards/; a token of ESM-2 is three bases and one amino acid."""

RESULT_BYTES_A_RECORD, RESULT_BYTES_A_CHUNK, RESULT_BYTES_A_FRAME = 200, 140, 90
SEQUENCE_BYTES_A_BASE = 0.3
"""Bytes in virus.fasta.gz, if all records are viruses."""

FIXED_BYTES = 500_000
SHARD_BYTES = 4_000
"""Bytes in attempts/, and at the ends of files, which fill whole blocks."""

FIXED_FILES, SHARD_FILES = 50, 5
REDIS_BYTES_A_SHARD, REDIS_BYTES_A_JOB = 3_000, 10_000
"""A message, its chord and its result."""

SAMPLE_BASES = 500_000
"""Bases at the beginning of an input that tell how many frames its bases have."""

SAMPLED_INPUTS = 3
PLAIN_BYTES = {None: 1.0, "gzip": 4.0, "bzip2": 4.5, "xz": 5.0, "zstd": 4.0}
"""Bytes of sequences and qualities in a byte of a file, by its compression."""

BASES_A_FASTQ_BYTE, BASES_A_BAM_BYTE = 0.45, 1.5


class Room(msgspec.Struct, frozen=True):
    """The room that a job needs: bytes in the store until it is finished and afterwards, beside its inputs, the most
    files at a time, and bytes in Redis.
    """

    store_bytes: int
    kept_bytes: int
    files: int
    redis_bytes: int

    def plus(self, other: Room) -> Room:
        """The room of two jobs together."""
        return Room(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def room_of(job: Job) -> Room:
    """Estimate the room that `job` needs beside its inputs; reads the beginning of some of them.

    Raises InputError as `cost_of` does, and OSError.
    """
    parameters = job.spec.parameters
    inputs = [source for source, entry in zip(job.inputs, job.spec.inputs, strict=True) if not entry.empty]
    bases = sum(_bases(source) for source in inputs)
    largest = sorted(inputs, key=lambda source: persistently(source.path.stat).st_size, reverse=True)[:SAMPLED_INPUTS]
    total = Cost()
    for source in largest:
        with _beginning(source) as beginning:
            sampled = cost_of(
                [beginning],
                chunk_length=parameters.chunk_length,
                min_length=parameters.min_length,
                strict=False,
                most_bases=SAMPLE_BASES,
            )
        total.bases += sampled.bases
        total.records += sampled.records
        total.chunks["all"] = total.chunks.get("all", 0) + sum(sampled.chunks.values())
        with_segments = parameters.has_segments
        total.frames += sampled.frames + (sampled.segments if with_segments else 0)
        total.tokens += sampled.tokens + (sampled.segment_tokens if with_segments else 0)
        if parameters.has_both_strands:
            more_frames, more_tokens = sampled.of_reverse(parameters.coverage)
            total.frames += more_frames
            total.tokens += more_tokens
    # An input that was sampled whole is known, whatever its size says.
    scale = max(1.0, bases / total.bases) if total.bases else 0.0
    description = read_description(job.paths.bundle)
    return _room(
        records=total.records * scale,
        chunks=total.chunks.get("all", 0) * scale,
        frames=total.frames * scale,
        tokens=total.tokens * scale,
        bases=total.bases * scale,
        vector_bytes=FLOAT_BYTES * (description.nucleotide_width + description.protein_width),
        shard_tokens=parameters.shard_tokens,
        keeps_vectors=parameters.keep_embeddings,
    )


def _room(
    *,
    records: float,
    chunks: float,
    frames: float,
    tokens: float,
    bases: float,
    vector_bytes: int,
    shard_tokens: int,
    keeps_vectors: bool,
) -> Room:
    # The frames of a chunk are never in two shards.
    shards = min(shards_of(tokens, first_budget=shard_tokens), max(1, round(chunks)))
    tables = TABLE_BYTES_A_TOKEN * tokens + TABLE_BYTES_A_CHUNK * chunks
    results = RESULT_BYTES_A_RECORD * records + RESULT_BYTES_A_CHUNK * chunks + RESULT_BYTES_A_FRAME * frames
    kept = FIXED_BYTES + SHARD_BYTES * shards + tables + results + SEQUENCE_BYTES_A_BASE * bases
    vectors = vector_bytes * frames
    return Room(
        store_bytes=round(kept + vectors + SCORE_BYTES * frames),
        kept_bytes=round(kept + (vectors if keeps_vectors else 0)),
        files=FIXED_FILES + SHARD_FILES * shards,
        redis_bytes=REDIS_BYTES_A_JOB + REDIS_BYTES_A_SHARD * shards,
    )


def shards_of(tokens: float, *, first_budget: int) -> int:
    """About the number of shards into which so many ESM-2 tokens are cut, at least one."""
    shards, budget = 0.0, float(first_budget)
    while tokens > SHARDS_PER_GROWTH * budget:
        shards += SHARDS_PER_GROWTH
        tokens -= SHARDS_PER_GROWTH * budget
        budget *= 2
    return max(1, round(shards + tokens / budget + 0.5))


def require_room(job: Job, room: Room, *, under_way: Room | None = None) -> None:
    """Raise StoreError if the store has less than `room` for the job, beside what the jobs `under_way` will take.

    A file system that does not tell has enough.
    """
    theirs = under_way or Room(0, 0, 0, 0)
    found = os.statvfs(job.paths.store)
    free = found.f_bavail * found.f_frsize
    if found.f_blocks and free < room.store_bytes + theirs.store_bytes:
        taken = f", jobs under way will take {size_text(theirs.store_bytes)} more" if theirs.store_bytes else ""
        raise StoreError(
            f"the store {job.paths.store} has {size_text(free)} free{taken}, and the job needs about "
            f"{size_text(room.store_bytes)} until it is finished ({size_text(room.kept_bytes)} afterwards)",
            hint=ADVICE,
        )
    if found.f_files and found.f_favail < room.files + theirs.files:
        taken = f", jobs under way will make {theirs.files:,} more" if theirs.files else ""
        raise StoreError(
            f"the store {job.paths.store} takes {counted(found.f_favail, 'more file')} (inodes){taken}, and the job "
            f"needs about {room.files:,}",
            hint=ADVICE,
        )


@contextmanager
def _beginning(source: ReadInput) -> Iterator[ReadInput]:
    """The first SAMPLE_BASES bytes of a FASTA file, whose records may be too long to be read; else the whole file."""
    with open_input(source.path, name=source.name) as stream:
        if stream.head.startswith(BAM_MAGIC) or stream.head.lstrip()[:1] == b"@":
            yield source
            return
        descriptor = os.memfd_create("virnucpro-beginning")
        with os.fdopen(descriptor, "wb") as copy:
            left = SAMPLE_BASES
            while left and (block := stream.read(left)):
                copy.write(block)
                left -= len(block)
            copy.flush()
            yield replace(source, path=Path(f"/proc/self/fd/{descriptor}"))


def _bases(source: ReadInput) -> float:
    """About the bases of an input, by its size, its compression and its first byte."""
    size = persistently(source.path.stat).st_size
    with open_input(source.path, name=source.name) as stream:
        if stream.head.startswith(BAM_MAGIC):
            return size * BASES_A_BAM_BYTE
        plain = size * PLAIN_BYTES[stream.compression]
        return plain * (BASES_A_FASTQ_BYTE if stream.head.lstrip()[:1] == b"@" else 1.0)

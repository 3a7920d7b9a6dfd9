"""From the vectors of a shard to its part of the results."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from virnucpro_tasks.classify.head import Head
from virnucpro_tasks.errors import BundleError, JobError
from virnucpro_tasks.jobs.job import Job, open_job
from virnucpro_tasks.jobs.vectors import read_shard_vectors
from virnucpro_tasks.models.bundle import Bundle, BundleDescription, read_description
from virnucpro_tasks.output.part import ShardPart, TableStyle, shard_part
from virnucpro_tasks.output.scored import ScoredShard
from virnucpro_tasks.shards.files import NO_VECTOR, ShardVectors, read_table
from virnucpro_tasks.shards.plan import Plan, read_plan
from virnucpro_tasks.steps.map_ahead import map_ahead
from virnucpro_tasks.steps.quarantine import quarantine_reasons

RESTORE = "copy bundle.json and head/ of that bundle into this folder, then resume the job"

SCORED_ROWS = 4_096
"""Frames whose joined vectors are in memory at once: 55 MB with the published head."""

FRAMES_A_PROCESS = 4_096
"""A process is worth its start if it has so many frames to score: half a second with the published head."""


class VectorsLostError(Exception):
    """The vectors of a shard are not valid, and it was not given up."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """A job with all that scoring its shards takes; without a head all scores are 0."""

    job: Job
    plan: Plan
    head: Head | None
    style: TableStyle

    @classmethod
    def of(cls, job: Job) -> Scorer:
        """Read the plan and the head of `job`. Raises BundleError or DamagedError for files that were changed."""
        description = read_description(job.paths.bundle)
        if description.digest != job.spec.bundle_digest:
            raise BundleError("not the bundle that the job was submitted with", path=job.paths.bundle, hint=RESTORE)
        return cls(
            job,
            read_plan(job.paths.plan),
            Head.load(Bundle(job.paths.bundle, description)) if description.has_head else None,
            table_style(job, description),
        )

    def scored(self, number: int) -> ScoredShard:
        """Shard `number` with its scores.

        Raises DamagedError if its tables are not those of the plan, VectorsLostError if it has no valid vectors.
        """
        job, entry = self.job, self.plan.shards[number]
        ledger = read_table(job.paths.ledger(number), sha256=entry.ledger_sha256)
        frames = read_table(job.paths.frames(number), sha256=entry.frames_sha256)
        if not entry.frames:
            return ScoredShard(ledger, frames, np.zeros((0, 2), np.float32), np.zeros(0, bool), {})
        vectors = read_shard_vectors(job, self.plan, number)
        if vectors is None:
            raise VectorsLostError
        quarantined = vectors.nucleotide_row == NO_VECTOR
        reasons = self._reasons(number, frames) if quarantined.any() else {}
        scores = np.zeros((frames.num_rows, 2), np.float32)
        if self.head is not None:
            scores = frame_scores(self.head, vectors)
        return ScoredShard(ledger, frames, scores, quarantined, reasons, vectors.computed)

    def _reasons(self, number: int, frames: pa.Table) -> dict[int, str]:
        ordinals = list(dict.fromkeys(frames["record_ordinal"].to_pylist()))
        max_attempts = self.job.spec.parameters.max_attempts
        return quarantine_reasons(self.job.paths, number, ordinals, max_attempts=max_attempts)

    def part(self, number: int) -> ShardPart:
        """The part of shard `number` of the result tables; raises as `scored` does."""
        return shard_part(self.scored(number), self.style)


def table_style(job: Job, description: BundleDescription) -> TableStyle:
    """How the result tables of `job` are written."""
    return TableStyle(
        dialect=job.spec.parameters.dialect,
        input_names=[entry.name for entry in job.spec.inputs],
        model_label=description.label,
        chunk_length=job.spec.parameters.chunk_length,
    )


def shard_parts(job: Job, plan: Plan, *, processes: int) -> Generator[ShardPart]:
    """The parts of all shards of a job in order, made by up to `processes` processes; raises as `Scorer` does.

    JobError too if one of several processes is killed.
    """
    frames = sum(entry.frames for entry in plan.shards)
    useful = max(1, min(processes, len(plan.shards), frames // FRAMES_A_PROCESS))
    numbers = range(len(plan.shards))
    if useful == 1:
        yield from map(Scorer.of(job).part, numbers)
        return
    try:
        yield from map_ahead(partial(_part, job.paths.store, job.job_id), numbers, processes=useful)
    except BrokenProcessPool:
        raise JobError(
            f"one of {useful} processes that scored its shards was killed",
            job_id=job.job_id,
            hint="with too little memory, set finishing_processes lower; then resume the job",
        ) from None


def frame_scores(head: Head, vectors: ShardVectors) -> np.ndarray:
    """P(others) and P(virus) of every frame of a shard, float32 (frames, 2); 0 for a frame without a vector."""
    scores = np.zeros((len(vectors.nucleotide_row), 2), np.float32)
    usable = np.flatnonzero(vectors.nucleotide_row != NO_VECTOR)
    for start in range(0, len(usable), SCORED_ROWS):
        rows = usable[start : start + SCORED_ROWS]
        nucleotide, protein = vectors.nucleotide_row[rows], vectors.protein_row[rows]
        scores[rows] = head.scores(vectors.nucleotide[nucleotide], vectors.protein[protein])
    return scores


@cache
def _scorer(store: Path, job_id: str) -> Scorer:
    """Read once a process, which `map_ahead` has started for this job."""
    return Scorer.of(open_job(store, job_id))


def _part(store: Path, job_id: str, number: int) -> ShardPart:
    return _scorer(store, job_id).part(number)

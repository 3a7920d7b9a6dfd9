"""From the vectors of a shard to its part of the results."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from virnucpro_tasks.classify.head import Head, load_head
from virnucpro_tasks.errors import BundleError, JobError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.vectors import embedding_key, read_shard_vectors
from virnucpro_tasks.models.bundle import Bundle, BundleDescription, read_description
from virnucpro_tasks.output.part import ShardPart, shard_part
from virnucpro_tasks.output.scored import ScoredShard
from virnucpro_tasks.output.table import TableStyle
from virnucpro_tasks.processes import ordered_process_map
from virnucpro_tasks.recovery.quarantine import quarantine_reasons
from virnucpro_tasks.shards.files import NO_VECTOR, ShardVectors, read_table
from virnucpro_tasks.shards.plan import Plan, read_plan
from virnucpro_tasks.shards.scores import ShardScores, read_valid_scores

RESTORE = "copy bundle.json and head/ of that bundle into this folder, then resume the job"

SCORED_ROWS = 4_096
"""Frames whose joined vectors are in memory at once: 55 MB with the published head."""

FRAMES_A_PROCESS = 4_096
"""A process is worth its start if it has so many frames to score and write out: a second with the published head."""

SCORED_SHARE = 0.5
"""The work that is left of a frame that has been scored while others were embedded."""


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
        description = job_description(job)
        return cls(job, read_plan(job.paths.plan), job_head(job, description), table_style(job, description))

    def scored(self, number: int) -> ScoredShard:
        """Shard `number` with its scores.

        Raises DamagedError if its tables are not those of the plan, VectorsLostError if it has no valid vectors.
        """
        job, entry = self.job, self.plan.shards[number]
        chunks = read_table(job.paths.chunks(number), sha256=entry.chunks_sha256)
        frames = read_table(job.paths.frames(number), sha256=entry.frames_sha256)
        if not entry.frames:
            return ScoredShard(chunks, frames, np.zeros((0, 2), np.float32), np.zeros(0, bool), {})
        found = self._scores(number)
        reasons = self._reasons(number, frames) if found.quarantined.any() else {}
        return ScoredShard(chunks, frames, found.scores, found.quarantined, reasons, found.stats)

    def _scores(self, number: int) -> ShardScores:
        """Those that a worker has kept, if they are valid; vectors that stay with the results are read anyway."""
        key = embedding_key(self.job, self.plan.shards[number].digest)
        kept = read_valid_scores(self.job.paths.scores(number), key)
        if kept is not None and not self.job.spec.parameters.keep_embeddings:
            return kept
        vectors = read_shard_vectors(self.job, self.plan, number)
        if vectors is None:
            raise VectorsLostError
        return kept or shard_scores(self.head, vectors)

    def _reasons(self, number: int, frames: pa.Table) -> dict[int, str]:
        ordinals = list(dict.fromkeys(frames["record_ordinal"].to_pylist()))
        max_attempts = self.job.spec.parameters.max_attempts
        return quarantine_reasons(self.job.paths, number, ordinals, max_attempts=max_attempts)

    def part(self, number: int) -> ShardPart:
        """The part of shard `number` of the result tables; raises as `scored` does."""
        return shard_part(self.scored(number), self.style)


def job_description(job: Job) -> BundleDescription:
    """The bundle of `job` as it lies in its folder. Raises BundleError for another one than it was submitted with."""
    description = read_description(job.paths.bundle)
    if description.digest != job.spec.bundle_digest:
        raise BundleError("not the bundle that the job was submitted with", path=job.paths.bundle, hint=RESTORE)
    return description


def job_head(job: Job, description: BundleDescription) -> Head | None:
    """The head that travels with `job`; None if its bundle has none. Raises BundleError for one that was changed."""
    return load_head(Bundle(job.paths.bundle, description)) if description.has_head else None


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
    scorer = Scorer.of(job)
    useful = max(1, min(processes, len(plan.shards), int(_frames_to_score(job, plan) // FRAMES_A_PROCESS)))
    numbers = range(len(plan.shards))
    if useful == 1:
        yield from map(scorer.part, numbers)
        return
    try:
        yield from ordered_process_map(scorer.part, numbers, processes=useful)
    except BrokenProcessPool:
        raise JobError(
            f"one of {useful} processes that scored its shards was killed",
            job_id=job.job_id,
            hint="with too little memory, set finishing_processes lower; then resume the job",
        ) from None


def _frames_to_score(job: Job, plan: Plan) -> float:
    """How many frames a job has, those that have been scored for their share."""
    scored = {int(file.stem) for file in job.paths.kept_scores.glob("[0-9]*.safetensors")}
    return sum(entry.frames * (SCORED_SHARE if number in scored else 1) for number, entry in enumerate(plan.shards))


def shard_scores(head: Head | None, vectors: ShardVectors) -> ShardScores:
    """The scores of all frames of a shard; without a head all are 0."""
    scores = np.zeros((len(vectors.nucleotide_row), 2), np.float32) if head is None else frame_scores(head, vectors)
    return ShardScores(scores, vectors.nucleotide_row == NO_VECTOR, vectors.stats)


def frame_scores(head: Head, vectors: ShardVectors) -> np.ndarray:
    """P(others) and P(virus) of every frame of a shard, float32 (frames, 2); 0 for a frame without a vector."""
    scores = np.zeros((len(vectors.nucleotide_row), 2), np.float32)
    usable = np.flatnonzero(vectors.nucleotide_row != NO_VECTOR)
    for start in range(0, len(usable), SCORED_ROWS):
        rows = usable[start : start + SCORED_ROWS]
        nucleotide, protein = vectors.nucleotide_row[rows], vectors.protein_row[rows]
        scores[rows] = head.scores(vectors.nucleotide[nucleotide], vectors.protein[protein])
    return scores

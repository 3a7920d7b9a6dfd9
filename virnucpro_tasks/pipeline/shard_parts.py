"""Scored shards to their parts of the result tables, made by several processes."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.vectors import embedding_key
from virnucpro_tasks.output.part import ShardPart, shard_part
from virnucpro_tasks.output.scored import ScoredShard
from virnucpro_tasks.output.table import TableStyle
from virnucpro_tasks.pipeline.score import over_shards
from virnucpro_tasks.pipeline.split import sample_of
from virnucpro_tasks.recovery.quarantine import quarantine_reasons
from virnucpro_tasks.shards.plan import Plan
from virnucpro_tasks.shards.scores import read_valid_scores
from virnucpro_tasks.shards.tables import read_frame_places, read_table
from virnucpro_tasks.system.collector import rare_collections


@dataclass(frozen=True, slots=True)
class PartMaker:
    """Makes the part of each shard of a job; pickled once for each process."""

    job: Job
    plan: Plan
    styles: Mapping[str, TableStyle]

    def part(self, number: int) -> ShardPart:
        """The part of shard `number`. Raises DamagedError for tables or scores that were changed or are missing."""
        # Each of several processes makes parts, so not only in `finish`.
        with rare_collections():
            shard = self.scored(number)
            return shard_part(shard, self.styles[sample_of(self.job, shard.chunks)])

    def scored(self, number: int) -> ScoredShard:
        """Shard `number` with its scores; raises as `part` does."""
        paths, entry = self.job.paths, self.plan.shards[number]
        chunks = read_table(paths.chunks(number), sha256=entry.chunks_sha256)
        frames = read_frame_places(paths.frames(number), sha256=entry.frames_sha256)
        rule = self.styles[sample_of(self.job, chunks)].record_score
        if not entry.frames:
            return ScoredShard(chunks, frames, np.zeros((0, 2), np.float32), np.zeros(0, bool), {}, record_score=rule)
        found = read_valid_scores(paths.scores(number), embedding_key(self.job, entry.digest))
        if found is None:
            raise DamagedError(paths.scores(number))
        reasons = self._reasons(number, frames) if found.quarantined.any() else {}
        return ScoredShard(chunks, frames, found.scores, found.quarantined, reasons, found.stats, rule)

    def _reasons(self, number: int, frames: pa.Table) -> dict[int, str]:
        ordinals = list(dict.fromkeys(frames["record_ordinal"].to_pylist()))
        max_attempts = self.job.spec.parameters.max_attempts
        return quarantine_reasons(self.job.paths, number, ordinals, max_attempts=max_attempts)


def shard_parts(job: Job, plan: Plan, styles: Mapping[str, TableStyle], *, processes: int) -> Generator[ShardPart]:
    """The parts of all shards of a job in order, made by up to `processes` processes.

    Raises DamagedError for files that were changed, JobError if one of several processes is killed.
    """
    maker = PartMaker(job, plan, styles)
    return over_shards(maker.part, job, plan, range(len(plan.shards)), processes=processes)

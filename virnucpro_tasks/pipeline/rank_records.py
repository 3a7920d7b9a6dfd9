"""Counts the records of a job by their scores and finds its false-discovery rates, before its tables are written."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import numpy as np

from virnucpro_tasks.classifier.false_discoveries import FalseDiscoveries
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.vectors import embedding_key
from virnucpro_tasks.output.record_ranks import RankedShard, ranked_shard, rates_of
from virnucpro_tasks.output.scored import NUMBER_COLUMNS, ScoredNumbers
from virnucpro_tasks.pipeline.score import over_shards
from virnucpro_tasks.reads.tables import REVERSE_COLUMNS
from virnucpro_tasks.shards.plan import Plan
from virnucpro_tasks.shards.scores import read_valid_scores
from virnucpro_tasks.shards.tables import read_columns

FRAMES_PER_PROCESS = 1_000_000
"""Frames whose counting is worth the start of a process: a second."""

NOT_FITTED = "the head has no values for the score of a record, so that its scores are no calibrated probabilities"


@dataclass(frozen=True, slots=True)
class ShardRanker:
    """Counts the records of each shard of a job; pickled once for each process."""

    job: Job
    plan: Plan
    rule: RecordScore

    def ranked(self, number: int) -> RankedShard:
        """The records of shard `number`. Raises DamagedError for a table or scores that were changed or are missing."""
        paths, entry = self.job.paths, self.plan.shards[number]
        columns = (*NUMBER_COLUMNS, *(REVERSE_COLUMNS if self.rule.grids > 1 else ()))
        chunks = read_columns(paths.chunks(number), columns, sha256=entry.chunks_sha256)
        scores, quarantined = np.zeros((0, 2), np.float32), np.zeros(0, bool)
        if entry.frames:
            found = read_valid_scores(paths.scores(number), embedding_key(self.job, entry.digest))
            if found is None:
                raise DamagedError(paths.scores(number))
            scores, quarantined = found.scores, found.quarantined
        return ranked_shard(ScoredNumbers.gathered(chunks, scores, quarantined, self.rule))


def job_false_discoveries(job: Job, plan: Plan, rule: RecordScore, *, processes: int) -> FalseDiscoveries:
    """The false-discovery rates of a job, over the records of all its samples, with up to `processes` processes.

    Raises DamagedError for files that were changed, JobError if one of several processes is killed.
    """
    if rule.fitted is None:
        return FalseDiscoveries(refusal=NOT_FITTED)
    ranker = ShardRanker(job, plan, rule)
    numbers = range(len(plan.shards))
    with closing(
        over_shards(ranker.ranked, job, plan, numbers, processes=processes, frames_per_process=FRAMES_PER_PROCESS)
    ) as shards:
        return rates_of(shards, share=job.spec.parameters.outputs.prior)

"""Whole jobs in this process, computed with vectors that are known: results are equal to the last byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from earlier.folders import Computed
from job import finish_files

from virnucpro_tasks.embed.engine import Embedded
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.pipeline.embed_shard import ShardWorker
from virnucpro_tasks.pipeline.shard_state import ShardState
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.engine_stats import EngineStats

STAGES = ("submitting", "splitting", "embedding", "finishing", "handing over")
"""What a one-shot run does, in this order: the first is what comes before the others."""


class KnownEngine:
    """Gives each sequence the vector that a run has computed for it, wherever it is packed."""

    def __init__(self, run: Computed) -> None:
        self.bundle_digest = demo_bundle().digest
        self._nucleotides = dict(zip(run.nucleotides, run.nucleotide, strict=True))
        self._proteins = dict(zip(run.proteins, run.protein, strict=True))

    def embed(self, nucleotides: list[str], proteins: list[str], **_: Any) -> Embedded:
        both = (self._nucleotides, nucleotides), (self._proteins, proteins)
        found = [np.array([known[text] for text in texts], np.float32) for known, texts in both]
        return Embedded(found[0], found[1], EngineStats(), EngineStats())


class KnownWorker(ShardWorker):
    """A worker with such an engine, which runs whole jobs and says at which of the STAGES it is."""

    def __init__(self, settings: Settings, run: Computed, say: Callable[[str], object] = lambda stage: None) -> None:
        super().__init__(settings)
        self._known: Any = KnownEngine(run)
        self._say = say

    def engine(self, precision: str | None = None) -> Any:
        return self._known

    def run(self, job: Job) -> None:
        self._say("splitting")
        shards = list(split_files(job))
        self._say("embedding")
        for shard in shards:
            assert self.embed(job, shard) == ShardState.EMBEDDED
        self._say("finishing")
        assert finish_files(job) == []
        self._say("handing over")

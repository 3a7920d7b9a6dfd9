"""What tests of one job's stages share: making a job, and running its stages in this process, without a queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virnucpro_tasks.jobs.job import Job, job_ids, open_job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.jobs.vectors import read_shard_vectors
from virnucpro_tasks.pipeline.embed_shard import ShardWorker
from virnucpro_tasks.pipeline.finish import finish
from virnucpro_tasks.pipeline.repair import repair
from virnucpro_tasks.pipeline.shard_state import ShardState
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.plan import read_plan
from virnucpro_tasks.shards.vectors import ShardVectors

if TYPE_CHECKING:
    from virnucpro_tasks.embed.encoder import PackedModel
    from virnucpro_tasks.embed.engine import Engine
    from virnucpro_tasks.embed.packing import Pack
    from virnucpro_tasks.embed.tokens import RaggedTokens
    from virnucpro_tasks.embed.transfer import PendingCopy

SAMPLE = Path(__file__).resolve().parent / "short.fasta"
"""1,500 bases of each record of examples/sample.fasta, with an open frame if it has any: embedded ten times as fast."""


OTHERS = SAMPLE.parent.parent / "examples" / "sample.fasta"
"""Another file, for commands that take viruses and others."""


def make_job(settings: Settings, *inputs: Path, **changed: Any) -> Job:
    """`submit` with everyday arguments."""
    arguments: dict[str, Any] = {
        "chunk_length": None,
        "min_length": None,
        "strict": False,
        "keep_embeddings": False,
        "priority": 6,
    }
    return submit(settings, inputs, **arguments | changed)


def worker_of(settings: Settings) -> ShardWorker:
    """The shard worker of this process for such settings: the models are loaded once."""
    return _worker(replace(settings, store=Path(), shard_tokens=1, max_attempts=1, dialect="original"))


@lru_cache
def _worker(settings: Settings) -> ShardWorker:
    return RememberingWorker(settings)


class RememberingWorker(ShardWorker):
    """A shard worker whose models compute each pack once: most jobs of tests are of the same sample."""

    def engine(self, precision: str | None = None) -> Engine:
        engine = super().engine(precision)
        for encoder in (engine._nucleotide, engine._protein):
            if "_run" not in vars(encoder):
                vars(encoder)["_run"] = remembering(encoder._run)
        return engine


def remembering(run: Callable[[PackedModel, RaggedTokens, Pack], PendingCopy]) -> Callable[..., PendingCopy]:
    """`Encoder._run` that remembers the pooled vectors of the packs it has seen, by their tokens and lengths."""
    known: dict[tuple[int, bytes, bytes], PendingCopy] = {}

    def remembered(model: PackedModel, tokens: RaggedTokens, pack: Pack) -> PendingCopy:
        key = id(model), tokens.select(pack.indices).tobytes(), tokens.lengths[pack.indices].tobytes()
        if key not in known:
            known[key] = run(model, tokens, pack)
        return known[key]

    return remembered


def embed(job: Job, shard: int, settings: Settings, *, message: str = "") -> ShardState:
    """Embed one shard of `job`."""
    return worker_of(settings).embed(job, shard, message=message)


def finish_files(job: Job, *, processes: int = 1) -> list[int]:
    """Repair and finish `job` as the task does; returns the shards that are to be embedded before."""
    missing = repair(job, processes=processes)
    if not missing:
        finish(job, processes=processes)
    return missing


def run_job(job: Job, settings: Settings) -> None:
    """Split, embed every shard, finish."""
    for shard in split_files(job):
        assert embed(job, shard, settings) == ShardState.EMBEDDED
    assert finish_files(job) == []


def vectors_of(job: Job, shard: int = 0) -> ShardVectors:
    """The vectors of a shard, which are there and valid."""
    vectors = read_shard_vectors(job, read_plan(job.paths.plan), shard)
    assert vectors is not None
    return vectors


def all_jobs(settings: Settings) -> list[Job]:
    """Every job of the store, oldest first."""
    return [open_job(settings.store, job_id) for job_id in job_ids(settings.store)]

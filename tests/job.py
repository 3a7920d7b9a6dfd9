"""What tests of one job's stages share: making a job, and running its stages in this process, without a queue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.jobs.job import Job, job_ids, open_job
from virnucpro_tasks.jobs.submit import submit
from virnucpro_tasks.jobs.vectors import read_shard_vectors
from virnucpro_tasks.pipeline.embed_shard import ShardWorker
from virnucpro_tasks.pipeline.finish import finish
from virnucpro_tasks.pipeline.repair import repair
from virnucpro_tasks.pipeline.score_in_background import THREAD_NAME
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


def remembering(run: Callable[[PackedModel, RaggedTokens, Pack], PendingCopy]) -> Callable[..., Pooled]:
    """`Encoder._run` that remembers the pooled vectors of the packs it has seen, by their tokens and lengths.

    Within `remembered_by_sequence` it remembers those of sequences, however they are packed.
    """
    packs: dict[tuple[int, bytes, bytes], Pooled] = {}
    sequences: dict[tuple[int, bytes], NDArray[np.float32]] = {}

    def remembered(model: PackedModel, tokens: RaggedTokens, pack: Pack) -> Pooled:
        if BY_SEQUENCE:
            return by_sequence(model, tokens, pack)
        key = id(model), tokens.select(pack.indices).tobytes(), tokens.lengths[pack.indices].tobytes()
        if key not in packs:
            packs[key] = run(model, tokens, pack)
        return packs[key]

    def by_sequence(model: PackedModel, tokens: RaggedTokens, pack: Pack) -> Pooled:
        keys = [
            (id(model), tokens.select(pack.indices[place : place + 1]).tobytes()) for place in range(len(pack.indices))
        ]
        new = [place for place, key in enumerate(keys) if key not in sequences]
        if new:
            part = pack.indices[new]
            vectors = run(model, tokens, replace(pack, indices=part, tokens=int(tokens.lengths[part].sum()))).numpy()
            sequences.update(zip((keys[place] for place in new), vectors, strict=True))
        return Remembered([sequences[key] for key in keys])

    return remembered


class Pooled(Protocol):
    """Vectors of a pack."""

    def numpy(self) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Remembered:
    """Vectors that are there."""

    vectors: list[NDArray[np.float32]]

    def numpy(self) -> NDArray[np.float32]:
        return np.array(self.vectors)


BY_SEQUENCE: list[bool] = []
"""Not empty within `remembered_by_sequence`."""


@contextmanager
def remembered_by_sequence() -> Iterator[None]:
    """Within it each sequence is computed once: for tests of what is made of vectors, with shards of many sizes."""
    BY_SEQUENCE.append(True)
    try:
        yield
    finally:
        BY_SEQUENCE.pop()


def embed(job: Job, shard: int, settings: Settings, *, message: str = "") -> ShardState:
    """Embed one shard of `job`, and let it be scored: the thread that does so would write into what a test changes."""
    state = worker_of(settings).embed(job, shard, message=message)
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join()
    return state


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

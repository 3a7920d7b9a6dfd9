"""Scores and tabulates a job from vectors or scores that there are, in this process, without computing any vector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError, safe_open

from virnucpro_tasks.earlier.expected import frame_ids
from virnucpro_tasks.earlier.score_files import FrameScores
from virnucpro_tasks.errors import InputError, JobError
from virnucpro_tasks.jobs.job import Failure, Job
from virnucpro_tasks.jobs.vectors import embedding_key
from virnucpro_tasks.pipeline.finish import finish
from virnucpro_tasks.pipeline.repair import repair
from virnucpro_tasks.pipeline.split import split_files
from virnucpro_tasks.reads.tables import FrameBatch
from virnucpro_tasks.recovery.quarantine import write_quarantine
from virnucpro_tasks.recovery.stage import StageRetryError
from virnucpro_tasks.shards.arrays import ENTRY, EmbeddingKey
from virnucpro_tasks.shards.imported import sequence_digests
from virnucpro_tasks.shards.scores import ShardScores, write_scores
from virnucpro_tasks.shards.tables import frames_digest, read_table
from virnucpro_tasks.shards.vectors import read_valid_vectors, write_vectors
from virnucpro_tasks.system.file_operations import exists, utf8_path
from virnucpro_tasks.system.files import read_checked

SAME_INPUTS = "name the inputs of that work, with its --expected-length, --min-length, --coverage and --shard-tokens"
NOT_SCORED = "the file of scores has no score of its frames"


class Source(Protocol):
    """Gives a shard its vectors, or if it `is_scored` its scores."""

    @property
    def is_scored(self) -> bool:
        """Whether `fill` writes scores."""

    def fill(self, job: Job, number: int) -> None:
        """Write them into `job`, whose tables of shard `number` are written. Raises InputError."""


def rescore(job: Job, source: Source, *, processes: int) -> None:
    """Split `job`, fill its shards from `source`, and write its results.

    Raises InputError as the source does, and JobError if the job fails.
    """
    try:
        for number in split_files(job):
            source.fill(job, number)
        # Repairing scores the vectors.
        if source.is_scored or not repair(job, processes=processes):
            finish(job, processes=processes)
    except (FileNotFoundError, StageRetryError) as error:
        raise JobError(str(error), job_id="", hint="repeat the command") from error
    if not exists(job.paths.run):
        failure = read_checked(job.paths.failed, Failure) if exists(job.paths.failed) else None
        raise JobError(failure.message if failure else "its results were not written", job_id="")


@dataclass(frozen=True, slots=True)
class KeptVectors:
    """Vectors that a job of this package has kept: files with their keys, by the digest of the frames of a shard."""

    folder: Path
    files: Mapping[str, tuple[Path, EmbeddingKey]]
    is_scored: bool = False

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Find the files in `folder`. Raises InputError if there is none."""
        found = {}
        for file in sorted(folder.glob("*.safetensors")):
            if (key := _key_of(file)) is not None:
                found[key.shard_digest] = file, key
        if not found:
            raise InputError("it holds no kept vectors", file=str(folder), hint="they are kept with --keep-embeddings")
        return cls(folder, found)

    @property
    def bundles(self) -> set[str]:
        """The digests of the bundles with which they were computed."""
        return {key.bundle_digest for _, key in self.files.values()}

    @property
    def precisions(self) -> set[str]:
        """The precisions of the jobs that computed them."""
        return {key.precision.partition(",")[0] for _, key in self.files.values()}

    def fill(self, job: Job, number: int) -> None:
        digest = frames_digest(read_table(job.paths.frames(number)))
        if digest not in self.files:
            raise InputError(f"no file has the vectors of shard {number}", file=str(self.folder), hint=SAME_INPUTS)
        file, key = self.files[digest]
        vectors = read_valid_vectors(file, key)
        if vectors is None:
            raise InputError("it is damaged", file=str(file), hint="copy it again")
        if (vectors.nucleotide_row < 0).any():
            frames = read_table(job.paths.frames(number))
            left_out = frames["record_ordinal"].to_numpy()[vectors.nucleotide_row < 0]
            reason = "it was quarantined in the work that is scored again"
            write_quarantine(job.paths, number, dict.fromkeys(np.unique(left_out).tolist(), reason))
        write_vectors(job.paths.embedding(number), vectors, embedding_key(job, digest))


@dataclass(slots=True)
class KnownScores:
    """Scores of frames by their ids; `used` and `missing` count frames."""

    scores: FrameScores
    used: int = 0
    missing: int = 0
    is_scored: bool = True

    def fill(self, job: Job, number: int) -> None:
        frames, chunks = read_table(job.paths.frames(number)), read_table(job.paths.chunks(number))
        places = self.scores.places(sequence_digests(frame_ids(FrameBatch(chunks, frames))))
        lacking = places < 0
        scores = np.zeros((len(places), 2), np.float32)
        scores[~lacking] = self.scores.scores[places[~lacking]]
        if lacking.any():
            ordinals = np.unique(frames["record_ordinal"].filter(pa.array(lacking)).to_numpy())
            write_quarantine(job.paths, number, dict.fromkeys(ordinals.tolist(), NOT_SCORED))
        self.used += int((~lacking).sum())
        self.missing += int(lacking.sum())
        key = embedding_key(job, frames_digest(frames))
        write_scores(job.paths.scores(number), ShardScores(scores, lacking), key)


def _key_of(file: Path) -> EmbeddingKey | None:
    """The key in the metadata of a file of vectors; None for any other file."""
    try:
        with utf8_path(file) as place, safe_open(place, framework="numpy") as handle:
            about: dict[str, Any] = json.loads(handle.metadata()[ENTRY])
        return EmbeddingKey(**about["key"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None

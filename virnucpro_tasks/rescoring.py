"""Scores and tabulates a job from vectors or scores that there are, in this process, without computing any vector."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
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
from virnucpro_tasks.shards.engine_stats import EngineStats
from virnucpro_tasks.shards.imported import sequence_digests
from virnucpro_tasks.shards.kinds import KINDS
from virnucpro_tasks.shards.scores import ShardScores, write_scores
from virnucpro_tasks.shards.tables import frames_digest, read_table
from virnucpro_tasks.shards.vectors import NO_VECTOR, ShardVectors, joined_vectors, read_valid_vectors, write_vectors
from virnucpro_tasks.system.file_operations import exists, utf8_path
from virnucpro_tasks.system.files import read_checked

SAME_INPUTS = "name the inputs of that work in their order, with its --expected-length, --min-length and --coverage"
NOT_SCORED = "the file of scores has no score of its frames"


class Source(Protocol):
    """Gives shards their vectors, or if it `is_scored` their scores."""

    @property
    def is_scored(self) -> bool:
        """Whether `fill` writes scores."""

    def fill(self, job: Job, numbers: Iterable[int]) -> None:
        """Write them into `job` for shards whose tables are written when their number comes. Raises InputError."""


def rescore(job: Job, source: Source, *, processes: int) -> None:
    """Split `job`, fill its shards from `source`, and write its results.

    Raises InputError as the source does, and JobError if the job fails.
    """
    try:
        source.fill(job, split_files(job))
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
    """Vectors that a job of this package has kept: files with their keys, in the order of its shards.

    They follow each other as the frames of its inputs do, wherever that job and this one cut their shards.
    """

    folder: Path
    files: tuple[tuple[Path, EmbeddingKey], ...]
    is_scored: bool = False

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Find the files in `folder`. Raises InputError if there is none."""
        named = ((file, _key_of(file)) for file in sorted(folder.glob("*.safetensors")))
        found = tuple((file, key) for file, key in named if key is not None)
        if not found:
            raise InputError("it holds no kept vectors", file=str(folder), hint="they are kept with --keep-embeddings")
        return cls(folder, found)

    @property
    def bundles(self) -> set[str]:
        """The digests of the bundles with which they were computed."""
        return {key.bundle_digest for _, key in self.files}

    @property
    def precisions(self) -> set[str]:
        """The precisions of the jobs that computed them."""
        return {key.precision.partition(",")[0] for _, key in self.files}

    def fill(self, job: Job, numbers: Iterable[int]) -> None:
        shards = _Shards(job, iter(numbers))
        for file, key in self.files:
            vectors = read_valid_vectors(file, key)
            if vectors is None:
                raise InputError("it is damaged", file=str(file), hint="copy it again")
            places = shards.next_frames(len(vectors.nucleotide_row))
            frames = [shards.frames[shard].slice(start, end - start) for shard, start, end in places]
            if not frames or frames_digest(pa.concat_tables(frames)) != key.shard_digest:
                raise InputError("its vectors are not those of the next frames", file=str(file), hint=SAME_INPUTS)
            done = 0
            for shard, start, end in places:
                shards.add(shard, vectors, slice(done, done + end - start))
                done += end - start
        if shards.next_frames(1):
            raise InputError("it has no vectors of the last frames", file=str(self.folder), hint=SAME_INPUTS)


@dataclass(slots=True)
class _Shards:
    """The shards of a job in their order: their `frames` until all have vectors, of which the `parts` are there.

    Of the `last` one that was asked for, `given` frames were given out and so many are `left`.
    """

    job: Job
    numbers: Iterator[int]
    frames: dict[int, pa.Table] = field(default_factory=dict)
    parts: dict[int, list[ShardVectors]] = field(default_factory=dict)
    last: int = -1
    given: int = 0
    left: int = 0

    def next_frames(self, count: int) -> list[tuple[int, int, int]]:
        """Return the places of the next `count` frames, or of all that are left: shard, first row, end of the rows."""
        places: list[tuple[int, int, int]] = []
        while count:
            if not self.left:
                number = next(self.numbers, None)
                if number is None:
                    break
                frames = read_table(self.job.paths.frames(number))
                self.frames[number], self.parts[number] = frames, []
                self.last, self.given, self.left = number, 0, len(frames)
            taken = min(self.left, count)
            places.append((self.last, self.given, self.given + taken))
            self.given, self.left, count = self.given + taken, self.left - taken, count - taken
        return places

    def add(self, shard: int, vectors: ShardVectors, rows: slice) -> None:
        """Give the next frames of a shard the vectors of these rows; writes them when they are complete."""
        parts = self.parts[shard]
        parts.append(_of_rows(vectors, rows))
        frames = self.frames[shard]
        if sum(len(part.nucleotide_row) for part in parts) < len(frames):
            return
        whole = joined_vectors(parts)
        if (whole.nucleotide_row < 0).any():
            left_out = frames["record_ordinal"].to_numpy()[whole.nucleotide_row < 0]
            reason = "it was quarantined in the work that is scored again"
            write_quarantine(self.job.paths, shard, dict.fromkeys(np.unique(left_out).tolist(), reason))
        write_vectors(self.job.paths.embedding(shard), whole, embedding_key(self.job, frames_digest(frames)))
        del self.frames[shard], self.parts[shard]


def _of_rows(vectors: ShardVectors, rows: slice) -> ShardVectors:
    """The vectors of some frames; those that none of these has are left out."""
    found = {}
    for kind in KINDS:
        used, places = np.unique(getattr(vectors, f"{kind}_row")[rows], return_inverse=True)
        has_none = int(used.size > 0 and used[0] == NO_VECTOR)
        found[kind] = getattr(vectors, kind)[used[has_none:]]
        found[f"{kind}_row"] = (places.reshape(-1) - has_none).astype(np.int32)
    # The counters of a file are those of the shard that its first frame is in.
    return ShardVectors(**found, stats=EngineStats() if rows.start else vectors.stats)


@dataclass(slots=True)
class KnownScores:
    """Scores of frames by their ids; `used` and `missing` count frames."""

    scores: FrameScores
    used: int = 0
    missing: int = 0
    is_scored: bool = True

    def fill(self, job: Job, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._fill(job, number)

    def _fill(self, job: Job, number: int) -> None:
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

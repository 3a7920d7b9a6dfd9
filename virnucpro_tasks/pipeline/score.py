"""Vectors of shards to scores of their frames, kept in scores/{n}.safetensors."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from virnucpro_tasks.classifier.head import Head, load_head
from virnucpro_tasks.classifier.head_files import read_record_score
from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.classifier.short_records import ShortRecordsHead
from virnucpro_tasks.errors import BundleError, JobError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.vectors import embedding_key, read_shard_vectors
from virnucpro_tasks.models.bundle import Bundle, BundleDescription, read_description
from virnucpro_tasks.reads.coverage import Coverage
from virnucpro_tasks.reads.tables import FrameOwners
from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.plan import Plan
from virnucpro_tasks.shards.scores import ShardScores, read_valid_scores, write_scores
from virnucpro_tasks.shards.tables import read_table
from virnucpro_tasks.shards.vectors import NO_VECTOR, ShardVectors
from virnucpro_tasks.system.file_operations import persistently, read_anew
from virnucpro_tasks.system.files import as_store_error
from virnucpro_tasks.system.processes import ordered_process_map

RESTORE = "copy bundle.json and head/ of that bundle into this folder, then resume the job"

SCORED_ROWS = 4_096
"""Frames whose joined vectors are in memory at once: 55 MB with the published head."""

FRAMES_PER_PROCESS = 8_192
"""Frames that are worth the start of a process: a second of scoring with the published head, or of writing."""

READING_THREADS = 8

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Scorer:
    """Scores the shards of a job with its head; without a head all scores are 0."""

    job: Job
    plan: Plan
    head: Head | None

    def is_scored(self, number: int) -> bool:
        """Whether shard `number` has valid scores."""
        return read_valid_scores(self.job.paths.scores(number), self._key(number)) is not None

    def score(self, number: int) -> bool:
        """Score shard `number` from its vectors, unless that is done; False if these are not valid."""
        vectors = read_shard_vectors(self.job, self.plan, number)
        if vectors is None:
            return False
        if not self.is_scored(number):
            lengths = frame_lengths(self.job, number, sha256=self.plan.shards[number].chunks_sha256)
            write_scores(self.job.paths.scores(number), shard_scores(self.head, vectors, lengths), self._key(number))
        return True

    def _key(self, number: int) -> EmbeddingKey:
        return embedding_key(self.job, self.plan.shards[number].digest)


def score_shards(job: Job, plan: Plan, *, processes: int) -> list[int]:
    """Score the shards that have no scores yet, with up to `processes` processes; returns those without valid vectors.

    With `keep_embeddings` the vectors of all shards are checked, since users get them. Raises BundleError for a head
    that was changed, JobError if a process is killed.
    """
    scorer = Scorer(job, plan, job_head(job, job_description(job)))
    numbers = plan.to_embed
    if not job.spec.parameters.keep_embeddings:
        with ThreadPoolExecutor(READING_THREADS) as threads:
            scored = list(threads.map(scorer.is_scored, numbers))
        numbers = [number for number, done in zip(numbers, scored, strict=True) if not done]
    succeeded = over_shards(scorer.score, job, plan, numbers, processes=processes)
    return [number for number, done in zip(numbers, succeeded, strict=True) if not done]


def over_shards(
    function: Callable[[int], Result],
    job: Job,
    plan: Plan,
    numbers: Sequence[int],
    *,
    processes: int,
    frames_per_process: int | None = None,
) -> Generator[Result]:
    """Apply `function` to the shards `numbers` in order, with up to `processes` processes if their frames are many.

    `frames_per_process` are worth the start of one, by default FRAMES_PER_PROCESS. Raises what `function` raises,
    JobError if one of several processes is killed.
    """
    frames = sum(plan.shards[number].frames for number in numbers)
    useful = min(processes, len(numbers), frames // (frames_per_process or FRAMES_PER_PROCESS))
    if useful <= 1:
        yield from map(function, numbers)
        return
    try:
        yield from ordered_process_map(function, numbers, processes=useful)
    except BrokenProcessPool:
        raise JobError(
            f"one of {useful} processes that scored its shards was killed",
            job_id=job.job_id,
            hint="with too little memory, set finishing_processes lower; then resume the job",
        ) from None


def job_description(job: Job) -> BundleDescription:
    """The description of the bundle in the folder of `job`. Raises BundleError if it is another than at submission."""
    description = _from_bundle(job, lambda: read_description(job.paths.bundle))
    if description.digest != job.spec.bundle_digest:
        raise BundleError("not the bundle that the job was submitted with", path=job.paths.bundle, hint=RESTORE)
    return description


def job_head(job: Job, description: BundleDescription) -> Head | None:
    """The head in the folder of `job`; None if its bundle has none. Raises BundleError if it was changed."""
    if not description.has_head:
        return None
    return _from_bundle(job, lambda: load_head(Bundle(job.paths.bundle, description)))


def job_record_score(job: Job, description: BundleDescription) -> RecordScore:
    """The rule by which the head in the folder of `job` scores records. Raises BundleError if it was changed."""
    bundle = Bundle(job.paths.bundle, description)
    parameters = job.spec.parameters
    with_segments = parameters.coverage is Coverage.SEGMENTS
    rule = _from_bundle(job, lambda: read_record_score(bundle, with_segments=with_segments))
    return replace(rule, grids=2) if parameters.both_strands is True else rule


def _from_bundle(job: Job, read: Callable[[], Result]) -> Result:
    """Read something of the bundle in the folder of `job`, a second time if it is missing or damaged.

    Raises BundleError, which says to restore it from the bundle that it was copied from; OSError if the file system is
    at fault.
    """

    def attempt() -> Result:
        try:
            return read()
        except BundleError as error:
            if isinstance(cause := error.__context__, OSError) and as_store_error(cause) is not None:
                raise cause from None
            raise

    try:
        return persistently(attempt)
    except BundleError:
        read_anew(job.paths.bundle)
        read_anew(job.paths.bundle / "head")
    try:
        return persistently(attempt)
    except BundleError as error:
        raise BundleError(error.what, path=error.path, hint=RESTORE) from None


Lengths = Callable[[], np.ndarray]
"""Gives the bases of the record of each frame of a shard, (frames,); only asked where the head needs them."""


def frame_lengths(job: Job, number: int, *, sha256: str | None = None) -> Lengths:
    """The lengths of shard `number` from its chunk table, checked against its digest if that is given.

    When asked, raises DamagedError for a table that is missing or was changed.
    """

    def lengths() -> np.ndarray:
        chunks = read_table(job.paths.chunks(number), sha256=sha256)
        return np.asarray(chunks["record_length"].to_numpy()[FrameOwners.of(chunks).rows])

    return lengths


def shard_scores(head: Head | None, vectors: ShardVectors, lengths: Lengths | None = None) -> ShardScores:
    """The scores of all frames of a shard; without a head all are 0. Raises what `lengths` and `frame_scores` raise."""
    if head is None:
        scores = np.zeros((len(vectors.nucleotide_row), 2), np.float32)
    else:
        needed = lengths if isinstance(head, ShortRecordsHead) else None
        scores = frame_scores(head, vectors, None if needed is None else needed())
    return ShardScores(scores, vectors.nucleotide_row == NO_VECTOR, vectors.stats)


def frame_scores(head: Head, vectors: ShardVectors, lengths: np.ndarray | None = None) -> np.ndarray:
    """P(others) and P(virus) of every frame of a shard, float32 (frames, 2); 0 for a frame without a vector.

    `lengths` (frames,) are the bases of their records. Raises ValueError if the head needs them and has none.
    """
    if isinstance(head, ShortRecordsHead) and lengths is None:
        raise ValueError("this head scores frames by the lengths of their records")
    scores = np.zeros((len(vectors.nucleotide_row), 2), np.float32)
    usable = np.flatnonzero(vectors.nucleotide_row != NO_VECTOR)
    for start in range(0, len(usable), SCORED_ROWS):
        rows = usable[start : start + SCORED_ROWS]
        nucleotide, protein = vectors.nucleotide_row[rows], vectors.protein_row[rows]
        found = vectors.nucleotide[nucleotide], vectors.protein[protein]
        if isinstance(head, ShortRecordsHead) and lengths is not None:
            scores[rows] = head.scores_by_length(*found, lengths[rows])
        else:
            scores[rows] = head.scores(*found)
    return scores

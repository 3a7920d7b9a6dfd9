"""Embeds the shards of jobs, in the worker process that owns the device.

A shard is computed as a whole; one that failed `max_attempts` times is bisected to the records at fault, and all others
are computed. Every attempt is recorded before its work.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from virnucpro_tasks.build import DISTRIBUTION, own_build
from virnucpro_tasks.errors import BundleError, ExitCode, StoreError, VirnucproError
from virnucpro_tasks.jobs.job import Job, fail_job, is_stopped
from virnucpro_tasks.jobs.vectors import embedding_key, takes_whole_proteins
from virnucpro_tasks.jobs.worker_records import WorkerFacts, WorkerRecord
from virnucpro_tasks.models.locate import locate_bundle
from virnucpro_tasks.paths import store_id_file
from virnucpro_tasks.pipeline.imported_vectors import Imports
from virnucpro_tasks.pipeline.load_engine import device_name, load_engine
from virnucpro_tasks.pipeline.score_in_background import BackgroundScorer
from virnucpro_tasks.pipeline.shard_state import ShardState
from virnucpro_tasks.pipeline.shard_vectors import device_is_healthy, embed_frames, embed_parts, no_vectors
from virnucpro_tasks.recovery.attempt import record_failure_outside, recorded_attempt
from virnucpro_tasks.recovery.bisect import GIVEN_UP, PIECES, Probe, next_probe
from virnucpro_tasks.recovery.events import WHOLE, Failed, HandedBack, Passed, read_events
from virnucpro_tasks.recovery.history import History
from virnucpro_tasks.recovery.quarantine import write_quarantine
from virnucpro_tasks.recovery.takeover import TakeoverCheck
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.arrays import EmbeddingKey
from virnucpro_tasks.shards.plan import SPECIAL_TOKENS
from virnucpro_tasks.shards.tables import frames_digest, read_table
from virnucpro_tasks.shards.vectors import ShardVectors, vectors_are_valid, write_vectors
from virnucpro_tasks.system.file_operations import is_there
from virnucpro_tasks.system.files import raising_store_errors
from virnucpro_tasks.system.host import processor_model
from virnucpro_tasks.system.processes import deadline

if TYPE_CHECKING:
    from virnucpro_tasks.embed.engine import Engine

log = logging.getLogger(__name__)

SHORTEST_LIMIT_SECONDS = 60.0
"""A part of a shard has a share of the time limit, but at least this."""


@dataclass(frozen=True, slots=True)
class OpenShard:
    """A shard of a job: its frames, the ordinals of the records that have any, and the key of its vectors."""

    job: Job
    number: int
    frames: pa.Table
    ordinals: list[int]
    key: EmbeddingKey

    @classmethod
    def read(cls, job: Job, number: int) -> OpenShard:
        """Raises DamagedError for a table that is missing or was changed."""
        frames = read_table(job.paths.frames(number))
        ordinals = list(dict.fromkeys(frames["record_ordinal"].to_pylist()))
        return cls(job, number, frames, ordinals, embedding_key(job, frames_digest(frames)))

    @property
    def tokens(self) -> int:
        """ESM-2 tokens of its frames."""
        residues = pc.sum(pc.binary_length(self.frames["protein"])).as_py() or 0
        return int(residues) + SPECIAL_TOKENS * self.frames.num_rows

    def finished_state(self) -> ShardState | None:
        """The state of a shard that has valid vectors; None for any other."""
        if not vectors_are_valid(self.job.paths.embedding(self.number), self.key):
            return None
        quarantined = is_there(self.job.paths.quarantined(self.number))
        return ShardState.QUARANTINED if quarantined else ShardState.EMBEDDED

    def next_probe(self) -> Probe:
        history = History.of(read_events(self.job.paths.attempts(self.number)))
        return next_probe(history, self.ordinals, max_attempts=self.job.spec.parameters.max_attempts)

    def frames_of(self, probe: Probe) -> pa.Table:
        """The frames that `probe` computes: all of them, or for a diagnostic one those of its records."""
        if not probe.is_diagnostic:
            return self.frames
        (part,) = self.records_of(probe)
        chosen = set(part) - set(probe.culprits)
        return self.frames.filter(pc.is_in(self.frames["record_ordinal"], pa.array(sorted(chosen), pa.int64())))

    def records_of(self, probe: Probe) -> list[list[int]]:
        """The ordinals of the records of each part of `probe`."""
        return [self.ordinals[part.first : part.stop] for part in probe.parts]


@contextmanager
def uncounted() -> Iterator[Callable[[], None]]:
    """Count no packs: nobody looks for signs of life."""
    yield lambda: None


class ShardWorker:
    """Embeds shards in this process; holds the engines, by precision, and the thread that scores in the background.

    `device` is the name of the device in the attempts file, `name` that of the worker in the report of a job. Packs are
    computed within `computing`, and what that gives is called before each of them. `computed` has counts of what the
    last call of `embed` has added to the vectors of its job.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        device: str = "",
        name: str = "",
        computing: Callable[[], AbstractContextManager[Callable[[], None]]] = uncounted,
    ) -> None:
        self._settings = settings
        self._computing = computing
        self._device = device
        self._name = name
        self._record: WorkerRecord | None = None
        self._engines: dict[str, Engine] = {}
        self._scorer = BackgroundScorer()
        self.computed: dict[str, int] = {}

    def engine(self, precision: str | None = None) -> Engine:
        """The engine for `precision` (by default that of the settings, or else of the bundle), loaded once.

        Raises BundleError or BackendError.
        """
        precision = precision or self._settings.precision or locate_bundle(self._settings.bundle).description.precision
        if precision not in self._engines:
            self._engines[precision] = load_engine(self._settings, precision)
            self._record = self._record or WorkerRecord(worker_facts(self._name))
        return self._engines[precision]

    def embed(
        self,
        job: Job,
        number: int,
        *,
        message: str = "",
        tell_share: Callable[[float], None] | None = None,
    ) -> ShardState:
        """Embed shard `number` of `job` unless that is done. `message` is the delivery tag of the shard's message.

        `tell_share` is called with the share of the shard that is computed; it must neither wait nor fail.

        Raises StoreError alone, for a file system that refuses files. Any other error is recorded and counted: no
        record is to blame for it, so after `max_attempts` of them the job fails, at once if the error is final.
        """
        self.computed = {}
        try:
            with raising_store_errors():
                if is_stopped(job.paths):
                    return ShardState.STOPPED
                return self._embed(OpenShard.read(job, number), message, tell_share)
        except StoreError:
            raise
        except Exception as error:
            if not is_there(job.paths.job):
                # Where all of the store is missing, whoever answers the message tells that.
                if is_there(store_id_file(job.paths.store)):
                    log.warning("job=%s was removed while shard=%d was computed", job.job_id, number)
                return ShardState.STOPPED
            log.exception("job=%s shard=%d failed", job.job_id, number)
            with raising_store_errors():
                _count_failure(job, number, error)
            return ShardState.FAILED

    def _embed(self, shard: OpenShard, message: str, tell_share: Callable[[float], None] | None) -> ShardState:
        if (state := shard.finished_state()) is not None:
            return state
        # Before the clock of the attempt runs: it may load models.
        engine = self.engine(shard.job.spec.parameters.precision)
        if engine.bundle_digest != shard.job.spec.bundle_digest:
            theirs = shard.job.spec.bundle_digest
            raise BundleError(f"this worker has bundle {engine.bundle_digest[:12]}, the job {theirs[:12]}")
        if self._record is not None:
            self._record.begin()
        while (probe := shard.next_probe()).name != GIVEN_UP:
            state = self._try(shard, probe, engine, message, tell_share)
            if state is not None:
                return state
        return self._keep(shard, probe, no_vectors(shard.frames.num_rows))

    def _try(
        self,
        shard: OpenShard,
        probe: Probe,
        engine: Engine,
        message: str,
        tell_share: Callable[[float], None] | None,
    ) -> ShardState | None:
        """Make one attempt; returns the state of the shard, None if another probe is to follow."""
        limit_seconds = self._limit_seconds(shard, probe)
        attempts = shard.job.paths.attempts(shard.number)
        vectors: ShardVectors | None = None
        with recorded_attempt(
            attempts, probe.name, limit_seconds=limit_seconds, device=self._device, message=message
        ) as attempt:
            takeover = TakeoverCheck(
                attempts, shard.job.paths.embedding(shard.number), began_at=attempt.began_at, message=message
            )
            with deadline(limit_seconds), self._computing() as count_pack:
                vectors = _compute(
                    engine, shard, probe, lambda: _should_stop(shard.job, takeover, count_pack), tell_share
                )
            if vectors is None:
                attempt.hand_back()
        if isinstance(attempt.ended, Passed):
            return None if probe.is_diagnostic or vectors is None else self._keep(shard, probe, vectors)
        if isinstance(attempt.ended, HandedBack):
            return _state_elsewhere(shard, takeover)
        named = shard.job.job_id, shard.number, probe.name
        log.warning("job=%s shard=%d probe=%s failed: %s", *named, attempt.ended, exc_info=attempt.error)
        if not isinstance(attempt.ended, Failed):
            return None
        if not device_is_healthy(engine):
            log.critical("the device no longer computes: this process ends, another one is started")
            os._exit(ExitCode.UNEXPECTED)
        # A first failure may be the fault of this host; later ones are a question of which records.
        return ShardState.FAILED if probe.name == WHOLE else None

    def _keep(self, shard: OpenShard, probe: Probe, vectors: ShardVectors) -> ShardState:
        if probe.culprits:
            write_quarantine(shard.job.paths, shard.number, probe.culprits)
        if self._record is not None:
            self._record.add(shard.job.paths, shard.number)
        write_vectors(shard.job.paths.embedding(shard.number), vectors, shard.key)
        self._scorer.score(shard.job, shard.number, vectors, shard.key)
        stats = vectors.stats
        self.computed = {
            "tokens": shard.tokens - stats.spared_tokens,
            "packed_tokens": stats.tokens,
            "capacity": stats.capacity,
            "out_of_memory": stats.out_of_memory,
            "recomputed_packs": stats.recomputed_packs,
        }
        return ShardState.QUARANTINED if probe.culprits else ShardState.EMBEDDED

    def _limit_seconds(self, shard: OpenShard, probe: Probe) -> float:
        share = float(np.divide(shard.frames_of(probe)["protein"].nbytes, shard.frames["protein"].nbytes))
        limit = self._settings.shard_time_limit_seconds
        return min(limit, max(SHORTEST_LIMIT_SECONDS, share * limit))


def worker_facts(name: str) -> WorkerFacts:
    """The device and versions with which the worker `name`, this process, computes."""
    # Imported here: it loads torch.
    from virnucpro_tasks.embed.device import device_facts

    found = device_facts(device_name())
    return WorkerFacts(
        host=socket.gethostname(),
        worker=name,
        device=found.device,
        processor=processor_model(),
        driver=found.driver,
        cuda=found.cuda,
        torch=found.torch,
        version=version(DISTRIBUTION),
        build=own_build(),
    )


def _compute(
    engine: Engine,
    shard: OpenShard,
    probe: Probe,
    should_stop: Callable[[], bool],
    tell_share: Callable[[float], None] | None,
) -> ShardVectors | None:
    """The vectors of `probe`; None if `should_stop` said so. Raises RecordsAtFaultError.

    Only an attempt at the whole shard tells its share: what a diagnosis computes is computed again.
    """
    frames = shard.frames_of(probe)
    imports, whole_proteins = Imports.of(shard.job), takes_whole_proteins(shard.job.spec.parameters)
    compute = partial(embed_frames, engine, frames, should_stop, imports=imports, whole_proteins=whole_proteins)
    if probe.name == PIECES:
        return embed_parts(
            engine,
            frames,
            should_stop,
            shard.records_of(probe),
            without=probe.culprits,
            imports=imports,
            whole_proteins=whole_proteins,
        )
    return compute() if probe.is_diagnostic else compute(without=probe.culprits, tell_share=tell_share)


def _should_stop(job: Job, takeover: TakeoverCheck, count_pack: Callable[[], None]) -> bool:
    """Whether the attempt is to end before its next pack, which is counted."""
    count_pack()
    return is_stopped(job.paths) or takeover.is_finished() or takeover.is_taken_over()


def _state_elsewhere(shard: OpenShard, takeover: TakeoverCheck) -> ShardState | None:
    """The state of a shard whose attempt was told to stop; None if it is to go on after all."""
    if is_stopped(shard.job.paths):
        return ShardState.STOPPED
    if (state := shard.finished_state()) is not None:
        log.warning("job=%s shard=%d was finished by another worker", shard.job.job_id, shard.number)
        return state
    if (other := takeover.taken_over_by) is not None:
        log.warning(
            "job=%s shard=%d is left to process %s on %s, which has its message now",
            *(shard.job.job_id, shard.number, other.pid, other.host),
        )
        return ShardState.REASSIGNED
    return None


def _count_failure(job: Job, number: int, error: Exception) -> None:
    reason = str(error) if isinstance(error, VirnucproError) else f"{type(error).__name__}: {error}"
    attempts = job.paths.attempts(number)
    record_failure_outside(attempts, reason)
    failures = History.of(read_events(attempts)).failed_outside
    is_final = isinstance(error, VirnucproError) and error.is_final
    if is_final or failures >= job.spec.parameters.max_attempts:
        fail_job(job, f"shard {number}: {reason}", exit_code=ExitCode.JOB_FAILED)

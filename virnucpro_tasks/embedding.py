"""Embedding one shard of a job, in the worker process that owns the device."""

from __future__ import annotations

import json
import logging
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from virnucpro_tasks.atomic import write_json
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.fp8_check import fp8_check
from virnucpro_tasks.jobs import Job, is_stopped
from virnucpro_tasks.models.locate import find_bundle
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.shards.computed import Computed
from virnucpro_tasks.shards.files import (
    ShardVectors,
    frames_digest,
    read_table,
    vectors_are_valid,
    write_vectors,
)
from virnucpro_tasks.splitting import embedding_key

if TYPE_CHECKING:
    from virnucpro_tasks.embed.engine import EmbedReport, Engine

log = logging.getLogger(__name__)

_engines: dict[str, Engine] = {}
"""The engines of this process by precision: loaded once, kept. Only a process that owns a device fills it."""


def prepare_engine(settings: Settings, *, precision: str | None = None) -> Engine:
    """Load the models of the settings' bundle onto this process's device, once a precision.

    Raises BundleError or BackendError.
    """
    bundle = find_bundle(settings.bundle)
    precision = precision or settings.precision or bundle.description.precision
    if precision not in _engines:
        # Imported here: torch must load in the process that owns the device, never in its parent.
        from virnucpro_tasks.embed.engine import Engine, EngineOptions
        from virnucpro_tasks.embed.self_check import FP8_ATTENTION

        device = "cuda" if os.environ.get("CUDA_VISIBLE_DEVICES") else "cpu"
        _engines[precision] = Engine.load(
            bundle,
            EngineOptions(
                device=device,
                precision=precision,
                attention=settings.attention,
                token_budget=settings.token_budget,
                threads=settings.cpu_threads,
            ),
            check=fp8_check(bundle) if precision in FP8_ATTENTION else None,
        )
        log.info(
            "device=%s bundle=%s precision=%s attention=%s token_budget=%s",
            *(device, bundle.digest[:12], precision, _engines[precision].attention, _engines[precision].token_budget),
        )
    return _engines[precision]


def embed_shard_files(job: Job, shard: int, settings: Settings) -> dict[str, Any]:
    """Embed shard number `shard` unless that is done; returns `{"shard", "state"}`, nothing that can differ.

    `state` is embedded, quarantined, stopped (the job needs no more work) or failed (to be tried again).
    Never raises: an attempt is recorded before the work, and a shard with too many of them is quarantined.
    """
    try:
        return {"shard": shard, "state": _embed(job, shard, settings)}
    except Exception as error:
        log.exception("job=%s shard=%d failed", job.job_id, shard)
        # The attempt itself is on disk already; on a full disk its reason is lost, not the shard.
        with suppress(OSError):
            _record_attempt(job.paths.attempts(shard), {"failed": f"{type(error).__name__}: {error}"})
        return {"shard": shard, "state": "failed"}


def _embed(job: Job, shard: int, settings: Settings) -> str:
    if is_stopped(job.paths):
        return "stopped"
    frames = read_table(job.paths.frames(shard))
    key = embedding_key(job, frames_digest(frames))
    target = job.paths.embedding(shard)
    if vectors_are_valid(target, key):
        return "embedded"
    if job.paths.quarantined(shard).exists():
        return "quarantined"
    history = _attempts(job.paths.attempts(shard))
    started = sum("failed" not in entry for entry in history)
    if started >= job.spec.parameters.max_attempts:
        reasons = [entry["failed"] for entry in history if "failed" in entry]
        reason = reasons[-1] if reasons else "its worker died each time"
        write_json(job.paths.quarantined(shard), {"reason": f"{started} attempts: {reason}", "attempts": history})
        return "quarantined"
    _record_attempt(job.paths.attempts(shard), {"device": os.environ.get("VIRNUCPRO_WORKER_DEVICE", "")})
    engine = prepare_engine(settings, precision=job.spec.parameters.precision)
    if engine.bundle_digest != job.spec.bundle_digest:
        raise BundleError(f"this worker has bundle {engine.bundle_digest[:12]}, the job {job.spec.bundle_digest[:12]}")
    vectors = embed_frames(engine, frames, job)
    if vectors is None:
        return "stopped"
    write_vectors(target, vectors, key)
    return "embedded"


def embed_frames(engine: Engine, frames: pa.Table, job: Job) -> ShardVectors | None:
    """Pooled vectors of a frame table, each distinct sequence computed once; None if the job was stopped meanwhile."""
    from virnucpro_tasks.embed.engine import EmbeddingStopped

    nucleotides = frames["nucleotides"].combine_chunks().dictionary_encode()
    proteins = frames["protein"].combine_chunks().dictionary_encode()
    try:
        embedded = engine.embed(
            nucleotides.dictionary.to_pylist(),
            proteins.dictionary.to_pylist(),
            should_stop=lambda: is_stopped(job.paths),
        )
    except EmbeddingStopped:
        return None
    return ShardVectors(
        nucleotide=embedded.nucleotide,
        protein=embedded.protein,
        nucleotide_row=nucleotides.indices.to_numpy().astype(np.int32),
        protein_row=proteins.indices.to_numpy().astype(np.int32),
        computed=computed_of(embedded.report),
    )


def computed_of(report: EmbedReport) -> Computed:
    """What the engine reports, as it is kept."""
    return Computed(
        packs=report.packs,
        recomputed_packs=report.recomputed_packs,
        out_of_memory=report.out_of_memory,
        tokens=report.tokens,
        attention=report.attention,
    )


def _attempts(path: Path) -> list[dict[str, Any]]:
    """The lines of an attempts file; one that was cut off while it was written counts as an attempt."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [_parsed(line) for line in lines if line]


def _parsed(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _record_attempt(path: Path, facts: dict[str, str]) -> None:
    where = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    with path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(where | facts) + "\n")
        handle.flush()
        os.fsync(handle.fileno())

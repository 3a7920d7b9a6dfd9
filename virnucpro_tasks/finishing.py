"""Finishing a job: prove completeness from the files, classify, write the results."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from virnucpro_tasks.atomic import sync_directory, write_bytes, write_json
from virnucpro_tasks.classify.head import Head
from virnucpro_tasks.errors import ExitCode, JobError, VirnucproError
from virnucpro_tasks.jobs import Job, fail_job, is_stopped
from virnucpro_tasks.models.bundle import Bundle, file_sha256, read_description
from virnucpro_tasks.output.results import write_results
from virnucpro_tasks.output.run_report import LOG_FILE, RUN_FILE, log_text, run_report
from virnucpro_tasks.output.scored import ScoredShard
from virnucpro_tasks.quarantine import quarantine_reasons
from virnucpro_tasks.shards.computed import Computed, summed
from virnucpro_tasks.shards.files import NO_VECTOR, ShardVectors, read_table, read_valid_vectors
from virnucpro_tasks.shards.plan import Plan, read_plan
from virnucpro_tasks.splitting import embedding_key, missing_shards

log = logging.getLogger(__name__)

SCORED_ROWS = 4_096
"""Frames whose joined vectors are in memory at once: 55 MB with the published head."""


def finish_files(job: Job) -> list[int]:
    """Write the results and return []; or return the numbers of the shards that are still missing.

    Does nothing for a job that is cancelled, failed or finished. May run twice, also at once: the results are the
    same, and the first complete folder stays. An error is recorded in failed.json.
    """
    if is_stopped(job.paths) or not job.paths.plan.exists():
        return []
    try:
        plan = read_plan(job.paths.plan)
        # A results folder is complete: its writer died before the commit mark.
        missing = [] if job.paths.results.exists() else missing_shards(job, plan)
        if not missing:
            _finish(job, plan)
        return missing
    except VectorsLostError:
        # Damaged since they were looked at, or another finisher was first and has deleted them.
        return [] if job.paths.run.exists() else missing_shards(job, plan)
    except VirnucproError as error:
        fail_job(job, str(error), exit_code=error.exit_code)
    except Exception as error:
        log.exception("job=%s finishing failed", job.job_id)
        fail_job(job, f"finishing failed: {type(error).__name__}: {error}", exit_code=ExitCode.UNEXPECTED)
    return []


class VectorsLostError(Exception):
    """The vectors of a shard are not valid, and it was not given up."""


def scored_shards(job: Job, plan: Plan, head: Head) -> Iterator[ScoredShard]:
    """The shards of a job in order, with their scores; one in memory at a time.

    Raises JobError if a shard's tables do not have the rows that the plan says, VectorsLostError if it has neither
    vectors nor a reason.
    """
    for number, entry in enumerate(plan.shards):
        ledger, frames = read_table(job.paths.ledger(number)), read_table(job.paths.frames(number))
        if (ledger.num_rows, frames.num_rows) != (entry.ledger_rows, entry.frames):
            raise JobError(
                f"shard {number} has {ledger.num_rows} ledger rows and {frames.num_rows} frames, "
                f"the plan says {entry.ledger_rows} and {entry.frames}",
                job_id=job.job_id,
                hint="its files were changed; submit the input again",
            )
        if not entry.frames:
            yield ScoredShard(ledger, frames, np.zeros((0, 2), np.float32), np.zeros(0, bool), {})
            continue
        vectors = read_valid_vectors(job.paths.embedding(number), embedding_key(job, entry.digest))
        if vectors is None:
            raise VectorsLostError
        quarantined = vectors.nucleotide_row == NO_VECTOR
        reasons = quarantine_reasons(job.paths, number) if quarantined.any() else {}
        yield ScoredShard(ledger, frames, frame_scores(head, vectors), quarantined, reasons)


def frame_scores(head: Head, vectors: ShardVectors) -> np.ndarray:
    """P(others) and P(virus) of every frame of a shard, float32 (frames, 2); 0 for a frame without a vector."""
    scores = np.zeros((len(vectors.nucleotide_row), 2), np.float32)
    usable = np.flatnonzero(vectors.nucleotide_row != NO_VECTOR)
    for start in range(0, len(usable), SCORED_ROWS):
        rows = usable[start : start + SCORED_ROWS]
        nucleotide, protein = vectors.nucleotide_row[rows], vectors.protein_row[rows]
        scores[rows] = head.scores(vectors.nucleotide[nucleotide], vectors.protein[protein])
    return scores


def _finish(job: Job, plan: Plan) -> None:
    if not job.paths.results.exists():
        staging = job.paths.root / f".results.{os.getpid()}.{secrets.token_hex(4)}"
        staging.mkdir()
        try:
            _write(job, plan, staging)
            _move_into_place(staging, job.paths.results)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    write_bytes(job.paths.run, (job.paths.results / RUN_FILE).read_bytes())
    if not job.spec.parameters.keep_embeddings:
        for file in job.paths.embeddings.glob("*.safetensors"):
            file.unlink(missing_ok=True)


def _write(job: Job, plan: Plan, directory: Path) -> None:
    started = time.time()
    description = read_description(job.paths.bundle)
    head = Head.load(Bundle(job.paths.bundle, description))
    counts = write_results(
        scored_shards(job, plan, head),
        directory,
        dialect=job.spec.parameters.dialect,
        input_names=[entry.name for entry in job.spec.inputs],
        model_label=description.label,
        demonstration=description.demonstration,
        chunk_length=job.spec.parameters.chunk_length,
    )
    digests = {file.name: file_sha256(file) for file in sorted(directory.iterdir())}
    engine = summed(Computed.read(job.paths.embedding(number)) for number in plan.to_embed)
    report = run_report(job.spec, description, plan, counts, engine=engine, digests=digests, started_at=started)
    (directory / LOG_FILE).write_text(log_text(report), encoding="utf-8", errors="backslashreplace")
    write_json(directory / RUN_FILE, report)
    for file in directory.iterdir():
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())


def _move_into_place(staging: Path, results: Path) -> None:
    sync_directory(staging)
    try:
        staging.rename(results)
    except OSError:
        # Another process finished the same job first; its folder is complete and has the same content.
        if not results.exists():
            raise
    sync_directory(results.parent)

"""Finishing a job: prove completeness from the files, classify, write the results."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from virnucpro_tasks.errors import DamagedError, ExitCode, VirnucproError
from virnucpro_tasks.files import as_store_error, file_sha256, sync, write_bytes, write_json
from virnucpro_tasks.jobs.job import Job, fail_job, is_stopped
from virnucpro_tasks.models.bundle import read_description
from virnucpro_tasks.output.part import ShardPart
from virnucpro_tasks.output.results import count_embedded, write_results
from virnucpro_tasks.output.run_report import LOG_FILE, log_text, run_report
from virnucpro_tasks.paths import COMMIT_MARK
from virnucpro_tasks.pipeline.score import VectorsLostError, shard_parts, table_style
from virnucpro_tasks.pipeline.split import load_plan, missing_shards, rebuild_shards, split_files
from virnucpro_tasks.shards.engine_stats import EngineStats, engine_report
from virnucpro_tasks.shards.plan import Plan, read_plan

log = logging.getLogger(__name__)

SYNCING_THREADS = 8


def finish_files(job: Job, *, processes: int = 1) -> list[int]:
    """Write the results and return []; or return the numbers of the shards that are still missing.

    A job with many frames is scored by up to `processes` processes.

    Does nothing for a job that is cancelled, failed or finished. May run twice, also at once: the results are the
    same, and the first complete folder stays. Tables of shards and a plan that were damaged are made again from the
    input. An error is recorded in failed.json; raises StoreError for a store that cannot be written or read.
    """
    if is_stopped(job.paths) or not job.paths.plan.exists():
        return []
    try:
        try:
            return _finish_or_name_missing(job, processes)
        except DamagedError as error:
            log.warning("job=%s: %s", job.job_id, error)
            plan = load_plan(job)
            if plan is not None:
                rebuild_shards(job, plan, range(len(plan.shards)))
            return _finish_or_name_missing(job, processes)
    except DamagedError as error:
        message = f"{error}, and it cannot be cut again, since the input is no longer the same: submit it again"
        fail_job(job, message, exit_code=error.exit_code)
    except VirnucproError as error:
        fail_job(job, str(error), exit_code=error.exit_code)
    except Exception as error:
        if (failure := as_store_error(error)) is not None:
            raise failure from error
        log.exception("job=%s finishing failed", job.job_id)
        fail_job(job, f"finishing failed: {type(error).__name__}: {error}", exit_code=ExitCode.UNEXPECTED)
    return []


def _finish_or_name_missing(job: Job, processes: int) -> list[int]:
    plan = load_plan(job)
    if plan is None:
        # It was damaged, and whoever is to embed needs the shards only.
        missing = list(split_files(job))
        plan = None if is_stopped(job.paths) else read_plan(job.paths.plan)
        if plan is None or missing:
            return missing
    # A results folder is complete: its writer died before the commit mark.
    complete = job.paths.results.exists() or all(job.paths.embedding(shard).exists() for shard in plan.to_embed)
    try:
        if complete:
            _finish(job, plan, processes=processes)
            return []
    except VectorsLostError:
        # Damaged, or another finisher was first and has deleted them.
        if job.paths.run.exists():
            return []
    missing = missing_shards(job, plan)
    rebuild_shards(job, plan, missing)
    return missing


def _finish(job: Job, plan: Plan, *, processes: int) -> None:
    if not job.paths.results.exists():
        staging = job.paths.root / f".results.{os.getpid()}.{secrets.token_hex(4)}"
        staging.mkdir()
        try:
            _write(job, plan, staging, processes=processes)
            _move_into_place(staging, job.paths.results)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    keep = job.spec.parameters.keep_embeddings
    vectors, scores = (list(folder.glob("*.safetensors")) for folder in (job.paths.embeddings, job.paths.kept_scores))
    if keep:
        with ThreadPoolExecutor(SYNCING_THREADS) as threads:
            list(threads.map(sync, vectors))
    write_bytes(job.paths.run, (job.paths.results / COMMIT_MARK).read_bytes())
    for file in scores if keep else scores + vectors:
        file.unlink(missing_ok=True)


def _write(job: Job, plan: Plan, directory: Path, *, processes: int) -> None:
    started = time.time()
    description = read_description(job.paths.bundle)
    with closing(shard_parts(job, plan, processes=processes)) as parts:
        style = table_style(job, description)
        stats: list[EngineStats] = []
        noted = _noting(parts, stats)
        if description.has_head:
            counts = write_results(noted, directory, style, demonstration=description.demonstration)
        else:
            # Encoders alone: the vectors are the result, and there is nothing to tabulate.
            counts = count_embedded(noted, style)
    tables = sorted(directory.iterdir())
    # The system's calls, not Python, take the time here.
    with ThreadPoolExecutor(len(tables) or 1) as threads:
        digests = dict(zip((file.name for file in tables), threads.map(_sealed, tables), strict=True))
    engine = engine_report(stats)
    report = run_report(job.spec, description, plan, counts, engine=engine, digests=digests, started_at=started)
    (directory / LOG_FILE).write_text(log_text(report), encoding="utf-8", errors="backslashreplace")
    write_json(directory / COMMIT_MARK, report)
    for name in (LOG_FILE, COMMIT_MARK):
        _sealed(directory / name)


def _sealed(file: Path) -> str:
    """The digest of a file that is on the disk as a whole."""
    sync(file)
    return file_sha256(file)


def _noting(parts: Iterable[ShardPart], stats: list[EngineStats]) -> Iterator[ShardPart]:
    """The parts. The stats of each are kept as it passes: once it is scored, its file may be gone."""
    for part in parts:
        stats.append(part.stats)
        yield part


def _move_into_place(staging: Path, results: Path) -> None:
    sync(staging)
    try:
        staging.rename(results)
    except OSError:
        # Another process finished the same job first; its folder is complete and has the same content.
        if not results.exists():
            raise
    sync(results.parent)

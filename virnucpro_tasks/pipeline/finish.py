"""Finishes a job whose shards are all scored: writes the result tables, then run.json, the commit mark."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.jobs.job import Job, is_stopped
from virnucpro_tasks.jobs.results import has_complete_results
from virnucpro_tasks.jobs.vectors import vector_files
from virnucpro_tasks.output.counts import ResultCounts
from virnucpro_tasks.output.part import ShardPart
from virnucpro_tasks.output.results import count_embedded, write_results, write_samples, write_summary
from virnucpro_tasks.output.run_report import log_text, run_report
from virnucpro_tasks.output.table import table_styles
from virnucpro_tasks.output.tables import file_places
from virnucpro_tasks.output.work_report import work_report
from virnucpro_tasks.paths import COMMIT_MARK, FINISHING, LOG_FILE
from virnucpro_tasks.pipeline.rank_records import job_false_discoveries
from virnucpro_tasks.pipeline.score import job_description, job_record_score
from virnucpro_tasks.pipeline.shard_parts import shard_parts
from virnucpro_tasks.recovery.stage import StageRetryError, failing_job
from virnucpro_tasks.report.collected import CollectedRecords
from virnucpro_tasks.report.content import MOST_TRACKS
from virnucpro_tasks.report.derived import derived_files, write_derived
from virnucpro_tasks.shards.engine_stats import EngineStats
from virnucpro_tasks.shards.plan import Plan, read_plan
from virnucpro_tasks.system.collector import rare_collections
from virnucpro_tasks.system.file_operations import (
    exists,
    is_there,
    persistently,
    read_bytes,
    remove_tree,
    rename_folder,
    sync,
    temporary_beside,
)
from virnucpro_tasks.system.files import file_sha256, write_bytes, write_json

SYNCING_THREADS = 8


def finish(job: Job, *, processes: int) -> None:
    """Write the results of `job`, whose files `repair` has found complete, with up to `processes` processes.

    Does nothing for a job that is stopped or not split. May run twice, also at once: the results are the same, and the
    first complete folder stays. An error is written to failed.json; raises StoreError for a file system that refuses
    files, StageRetryError for files that were damaged since they were repaired.
    """
    if is_stopped(job.paths) or not (is_there(job.paths.plan) or is_there(job.paths.results)):
        return
    with failing_job(job, FINISHING):
        # Asked first: the folder that another process puts there meanwhile is complete.
        was_there = exists(job.paths.results)
        # If the results are complete, only the commit mark of the job is missing.
        if not has_complete_results(job):
            if was_there:
                remove_tree(job.paths.results)
            try:
                _write_results(job, read_plan(job.paths.plan), processes=processes)
            except DamagedError as error:
                # Deleted by another process that has finished the job, or damaged.
                if not is_there(job.paths.run):
                    raise StageRetryError(str(error)) from error
                return
        _commit(job)


def _write_results(job: Job, plan: Plan, *, processes: int) -> None:
    staging = temporary_beside(job.paths.results)
    # Without the folder of the job: it may have been removed.
    persistently(staging.mkdir)
    try:
        with rare_collections():
            _write(job, plan, staging, processes=processes)
        _move_into_place(staging, job.paths.results)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(job: Job, plan: Plan, directory: Path, *, processes: int) -> None:
    started = time.time()
    description = job_description(job)
    rule = job_record_score(job, description)
    rates = job_false_discoveries(job, plan, rule, processes=processes)
    styles = table_styles(job, plan, description, rule, rates)
    samples = {}
    collected = CollectedRecords(most_shown=MOST_TRACKS)
    stats: list[EngineStats] = []
    with closing(shard_parts(job, plan, styles, processes=processes)) as shards:
        parts = _collecting(shards, stats)
        first, *_ = styles.values()
        if not description.has_head:
            # Encoders alone: the vectors are the result, and there is nothing to tabulate.
            counts = count_embedded(parts, first)
        elif not first.sample:
            counts = write_results(
                parts, directory, first, demonstration=description.demonstration, collect=collected.add
            )
        else:
            samples = write_samples(
                parts,
                directory,
                list(styles.values()),
                demonstration=description.demonstration,
                collect=collected.add,
            )
            write_summary(job.spec, samples, directory, first)
            counts = ResultCounts.total(samples.values())
    # By their names: a listing may lack a file, or have those of other programs.
    digests = _digests(directory, file_places(prefix=job.spec.parameters.outputs.prefix, samples=samples))
    work = work_report(job, plan, stats)
    report = run_report(
        job.spec,
        description,
        rule,
        rates,
        plan,
        counts,
        samples=samples,
        engine=work.engine,
        digests=digests,
        started_at=started,
        workers=work.workers,
        timeline=work.timeline,
    )
    if description.has_head:
        write_derived(directory, report, derived_files(collected))
    log = log_text(report).encode(errors="backslashreplace")
    persistently(lambda: (directory / LOG_FILE).write_bytes(log))
    sync(directory / LOG_FILE)
    write_json(directory / COMMIT_MARK, report)


def _digests(directory: Path, places: Iterable[str]) -> dict[str, str]:
    """SHA-256 (hex) of the files that are there, now also on the disk, by their places in `directory`."""
    files = sorted(directory / place for place in places if exists(directory / place))
    # System calls, not Python, take the time here.
    with ThreadPoolExecutor(min(len(files), SYNCING_THREADS) or 1) as threads:
        list(threads.map(sync, files))
        digests = threads.map(file_sha256, files)
        return dict(zip((str(file.relative_to(directory)) for file in files), digests, strict=True))


def _collecting(parts: Iterable[ShardPart], stats: list[EngineStats]) -> Iterator[ShardPart]:
    """The parts, whose engine counters are collected in `stats` as they pass."""
    for part in parts:
        stats.append(part.stats)
        yield part


def _move_into_place(staging: Path, results: Path) -> None:
    sync(staging)
    try:
        rename_folder(staging, results)
    except OSError:
        # Another process finished the job first; its folder is complete and has the same content.
        if not is_there(results):
            raise
    sync(results.parent)


def _commit(job: Job) -> None:
    """Write the commit mark and delete what the results no longer need."""
    keep = job.spec.parameters.keep_embeddings
    vectors = vector_files(job)
    scores = [job.paths.kept_scores / file.name for file in vectors]
    if keep:
        with ThreadPoolExecutor(SYNCING_THREADS) as threads:
            list(threads.map(sync, vectors))
    write_bytes(job.paths.run, read_bytes(job.paths.results / COMMIT_MARK))
    # The job is finished: what cannot be deleted now only takes room.
    with suppress(OSError):
        for file in scores if keep else scores + vectors:
            file.unlink(missing_ok=True)
        if job.spec.imported is not None:
            remove_tree(job.paths.imported)

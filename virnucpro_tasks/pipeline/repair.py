"""Makes the files that finishing reads complete and valid, before it begins."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.jobs.job import Job, is_stopped
from virnucpro_tasks.jobs.results import has_complete_results
from virnucpro_tasks.paths import FINISHING
from virnucpro_tasks.pipeline.score import score_shards
from virnucpro_tasks.pipeline.split import cut_input, load_plan, split_files
from virnucpro_tasks.recovery.stage import failing_job
from virnucpro_tasks.shards.plan import Plan, read_plan
from virnucpro_tasks.shards.tables import write_shard
from virnucpro_tasks.system.file_operations import is_there
from virnucpro_tasks.system.files import file_matches

log = logging.getLogger(__name__)

INPUT_CHANGED = "it cannot be cut again, since the input is no longer the same: submit it again"


def repair(job: Job, *, processes: int) -> list[int]:
    """Write damaged tables and plans of `job` again and score its shards; returns the shards that are to be embedded.

    Those have no valid vectors; as long as there are any, finishing would be too early. Scoring uses up to `processes`
    processes. Does nothing for a job that is stopped, not split yet, or has its results folder; for one that is stopped
    meanwhile the shards that it returns need not be embedded. An error that is not
    the file system's is written to failed.json; raises StoreError.
    """
    if is_stopped(job.paths) or not is_there(job.paths.plan) or has_complete_results(job):
        return []
    with failing_job(job, FINISHING):
        job.paths.make_folders()
        plan = load_plan(job)
        if plan is None:
            missing = list(split_files(job))
            if is_stopped(job.paths):
                return []
            if missing:
                return missing
            plan = read_plan(job.paths.plan)
        rebuild_shards(job, plan, range(len(plan.shards)))
        absent = [number for number in plan.to_embed if not is_there(job.paths.embedding(number))]
        missing = absent or score_shards(job, plan, processes=processes)
        # Another process may have finished the job and deleted its vectors meanwhile.
        return [] if is_stopped(job.paths) else missing
    return []


def rebuild_shards(job: Job, plan: Plan, numbers: Iterable[int]) -> None:
    """Cut those of the shards `numbers` again from the input whose tables differ from the plan.

    Raises DamagedError if the input, or what is cut from it, is no longer the same.
    """
    damaged = {number: path for number in numbers if (path := _damaged_file(job, plan, number)) is not None}
    if not damaged:
        return
    # Before anything is written: a changed input must not replace valid files.
    for ordinal, staged in enumerate(job.spec.inputs):
        if not file_matches(job.paths.input(ordinal), staged.sha256):
            raise DamagedError(min(damaged.values()), hint=INPUT_CHANGED)
    log.warning("job=%s: damaged, and cut again: %s", job.job_id, ", ".join(map(str, damaged.values())))
    for number, shard in enumerate(cut_input(job)):
        if number in damaged:
            write_shard(shard, frames=job.paths.frames(number), chunks=job.paths.chunks(number))
        if number >= max(damaged):
            break
    for number in damaged:
        if (path := _damaged_file(job, plan, number)) is not None:
            raise DamagedError(path, hint=INPUT_CHANGED)


def _damaged_file(job: Job, plan: Plan, number: int) -> Path | None:
    entry = plan.shards[number]
    for path, sha256 in (
        (job.paths.frames(number), entry.frames_sha256),
        (job.paths.chunks(number), entry.chunks_sha256),
    ):
        if not file_matches(path, sha256):
            return path
    return None

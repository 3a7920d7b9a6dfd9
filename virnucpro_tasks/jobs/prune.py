"""Removes jobs that ended long ago, or what their results do not need; never one that may still be under way."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from virnucpro_tasks.errors import VirnucproError, printable
from virnucpro_tasks.jobs.authority import closed_folders
from virnucpro_tasks.jobs.job import Job, job_ids, open_job, remove_job
from virnucpro_tasks.jobs.job_names import free_names
from virnucpro_tasks.jobs.results import has_complete_results
from virnucpro_tasks.paths import JobPaths, is_job_id, submissions_folder
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import exists, is_there, persistently, remove_tree

DISK_BLOCK_BYTES = 512
"""The unit of `st_blocks`."""


class Keep(StrEnum):
    """The part of a finished job that stays."""

    NOTHING = "nothing"
    RESULTS = "results"


@dataclass(frozen=True, slots=True)
class PruneRule:
    """The jobs that are pruned: those that ended `older_than_seconds` ago.

    With `owner` only jobs in that name, and with `uid` only those whose folder belongs to that user of the system.
    """

    older_than_seconds: float
    keep: Keep = Keep.NOTHING
    owner: str | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class Prunable:
    """A job that the rule is for. `freed_bytes` is the disk space that is free without it; files that have another
    name elsewhere, as hard-linked inputs, take none.
    """

    job: Job
    state: str
    age_seconds: float
    freed_bytes: int


@dataclass(frozen=True, slots=True)
class Unpruned:
    """A job that the rule is for and that stays, with the reason."""

    job_id: str
    reason: str


def prunable_jobs(store: Path, rule: PruneRule, *, now: float | None = None) -> Iterator[Prunable | Unpruned]:
    """Yield the jobs of `store` that `rule` is for, oldest first. Nothing is changed.

    `now` is in seconds since 1970, by default the time of this host. With `Keep.RESULTS` finished jobs of which only
    the results are left are not named again.
    """
    now = time.time() if now is None else now
    for job_id in job_ids(store):
        paths = JobPaths.of(store, job_id)
        try:
            found = _ended(paths)
            if found is None or now - found[1] < rule.older_than_seconds:
                continue
            job = open_job(store, job_id)
            if not _is_meant(job, rule):
                continue
            if paths.root.is_symlink():
                yield Unpruned(job_id, f"{paths.root} is a symbolic link: delete it and what it leads to yourself")
                continue
            freed = sum(_disk_bytes(folder) for folder in _folders(job, rule))
            if _folders(job, rule):
                yield Prunable(job, found[0], now - found[1], freed)
        except VirnucproError as error:
            # Whose it is nobody knows: only the command with its id removes it. Another one may have removed it by now.
            if exists(paths.root):
                yield Unpruned(job_id, str(error))
        except OSError as error:
            yield Unpruned(job_id, printable(f"{error.filename or paths.root}: {cause_of(error, paths.root).words}"))


def prune(found: Prunable, rule: PruneRule) -> Unpruned | None:
    """Remove what `rule` does not keep of a job; returns None, or the reason for which it stays.

    A job that was resumed or removed meanwhile is left alone. Its results are compared with their checksums before the
    files are deleted from which they could be made again.
    """
    job = found.job
    try:
        ended = _ended(job.paths)
        if ended is None or ended[0] != found.state:
            return None if not exists(job.paths.root) else Unpruned(job.job_id, "it goes on again")
        if (closed := next(closed_folders(_folders(job, rule)), None)) is not None:
            return Unpruned(job.job_id, f"{closed} belongs to another user, as whom it can be removed")
        if rule.keep is Keep.RESULTS and ended[0] == DONE:
            if not has_complete_results(job):
                return Unpruned(job.job_id, f"its results in {job.paths.results} are damaged: nothing was removed")
            left = [folder for folder in _folders(job, rule) if not remove_tree(folder)]
        else:
            remove_job(job, force=False)
            free_names(job.paths.store, job.job_id)
            left = [folder for folder in [job.paths.root] if exists(folder)]
    except VirnucproError as error:
        return Unpruned(job.job_id, str(error)) if exists(job.paths.root) else None
    except OSError as error:
        cause = cause_of(error, job.paths.root)
        return Unpruned(job.job_id, printable(f"{error.filename or job.paths.root}: {cause.words}"))
    if left:
        return Unpruned(job.job_id, f"{left[0]} could be removed only in part")
    return None


def forget_submissions(store: Path, *, older_than_seconds: float, now: float | None = None) -> int:
    """Delete the notes of submissions whose job is gone; returns how many. One that is locked or new stays."""
    now = time.time() if now is None else now
    forgotten = 0
    for note in _entries(submissions_folder(store)):
        with suppress(OSError):
            if note.name.startswith(".") or not note.is_file(follow_symlinks=False):
                continue
            job_id = Path(note).read_text(errors="replace").strip()
            is_old = now - note.stat(follow_symlinks=False).st_mtime >= older_than_seconds
            if is_old and is_job_id(job_id) and not exists(JobPaths.of(store, job_id).root):
                Path(note).unlink()
                forgotten += 1
    return forgotten


DONE, FAILED, CANCELLED = "done", "failed", "cancelled"


def _ended(paths: JobPaths) -> tuple[str, float] | None:
    """How a job ended, and the time of the last sign of work at it, in seconds since 1970; None if it goes on."""
    marks = {DONE: paths.run, FAILED: paths.failed, CANCELLED: paths.cancelled}
    for state, mark in marks.items():
        try:
            ended = persistently(mark.stat).st_mtime
        except FileNotFoundError:
            continue
        if state == DONE:
            return state, ended
        # A worker may still compute for it until it notices.
        attempts = [entry.stat(follow_symlinks=False).st_mtime for entry in _entries(paths.attempts_folder)]
        return state, max([ended, *attempts])
    return None


def _is_meant(job: Job, rule: PruneRule) -> bool:
    if rule.owner is not None and job.spec.owner != rule.owner:
        return False
    return rule.uid is None or job.paths.root.lstat().st_uid == rule.uid


def _folders(job: Job, rule: PruneRule) -> list[Path]:
    """The folders of a job that are removed; one that is a link leads to what is not ours."""
    paths = job.paths
    if rule.keep is Keep.NOTHING or not is_there(paths.run):
        return [paths.root]
    work = [paths.inputs, paths.imported, paths.kept_scores, paths.attempts_folder, paths.workers]
    if not job.spec.parameters.keep_embeddings:
        # Kept vectors are results, and are read with the tables of their shards.
        work += [paths.shards, paths.embeddings]
    return [folder for folder in work if folder.is_dir() and not folder.is_symlink()]


def _disk_bytes(folder: Path) -> int:
    """The disk space of a folder with all that is in it, but for files that have another name elsewhere."""
    size = folder.lstat().st_blocks * DISK_BLOCK_BYTES
    for entry in _entries(folder):
        with suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                size += _disk_bytes(Path(entry))
            elif (facts := entry.stat(follow_symlinks=False)).st_nlink == 1:
                size += facts.st_blocks * DISK_BLOCK_BYTES
    return size


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        return list(found)
    return []

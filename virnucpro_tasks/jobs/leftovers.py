"""Finds what killed processes left in a store: unfinished files, jobs half made or half removed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from virnucpro_tasks.paths import JobPaths, is_job_id
from virnucpro_tasks.system.owners import Life, life_of_name

DAY_SECONDS = 86_400.0
"""Age from which an unfinished file counts as left behind where nobody can tell whether its maker still runs."""

RUN_FOLDERS = "vnp-"
"""Beginning of the names of folders of a one-shot run in its store: of its private Redis, of its workers."""

_SILLY_RENAME = ".nfs"
"""Beginning of the names under which NFS keeps a deleted file that is still open."""


def unfinished(store: Path) -> Iterator[Path]:
    """All unfinished files and folders in the jobs of `store`, whoever works at them; no symbolic link is followed.

    Those are the names that begin with a dot, and folders of jobs without a description.
    """
    jobs = store / "jobs"
    for job in _entries(jobs):
        if _is_hidden(job):
            yield Path(job)
        elif job.is_dir(follow_symlinks=False) and is_job_id(job.name):
            if not os.path.lexists(JobPaths(Path(job)).job):
                yield Path(job)
            else:
                yield from _hidden_below(job)
    for folder in ("submissions", "names"):
        yield from (Path(entry) for entry in _entries(store / folder) if _is_hidden(entry))
    yield from (Path(entry) for entry in _entries(store) if life_of_name(entry.name) is not None)


def left_in(folder: Path) -> list[Path]:
    """The files and folders directly in `folder` that have a temporary name and were left by a process that is gone."""
    files = (Path(entry) for entry in _entries(folder) if life_of_name(entry.name) is not None)
    return [path for path in files if is_left_behind(path)]


def left_behind(store: Path) -> list[Path]:
    """The unfinished files and folders in `store` that were left by a process that is gone."""
    return [path for path in unfinished(store) if is_left_behind(path)]


def is_left_behind(path: Path) -> bool:
    """Whether an unfinished file or folder of this user was left by a process that is gone."""
    with suppress(OSError):
        life = life_of_name(path.name)
        if life is Life.RUNNING or path.lstat().st_uid != os.geteuid():
            return False
        return life is Life.GONE or seconds_since_change(path) > DAY_SECONDS
    return False


def seconds_since_change(path: Path) -> float:
    """The seconds since the last change of a file, or of a folder and what is directly in it. Raises OSError."""
    latest = path.lstat().st_mtime
    if path.is_dir() and not path.is_symlink():
        latest = max([latest, *(entry.stat(follow_symlinks=False).st_mtime for entry in _entries(path))])
    return time.time() - latest


def remove_leftover(path: Path) -> bool:
    """Remove a file or a folder with what is in it; a symbolic link is not followed. Returns whether it is gone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return not os.path.lexists(path)


def remove_unfinished(store: Path) -> None:
    """Remove all unfinished files of a store that this process has for itself, but those of running processes."""
    for path in list(unfinished(store)):
        if life_of_name(path.name) is not Life.RUNNING:
            remove_leftover(path)


def remove_run_folders(store: Path) -> None:
    """Remove the folders of workers and of a private Redis from a store that no other run uses."""
    for entry in _entries(store):
        if entry.name.startswith(RUN_FOLDERS) and entry.is_dir(follow_symlinks=False):
            remove_leftover(Path(entry))


def _hidden_below(job: os.DirEntry[str]) -> Iterator[Path]:
    for entry in _entries(job.path):
        if _is_hidden(entry):
            yield Path(entry)
        elif entry.is_dir(follow_symlinks=False):
            yield from (Path(file) for file in _entries(entry.path) if _is_hidden(file))


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".") and not entry.name.startswith(_SILLY_RENAME)


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as found:
        return list(found)
    return []

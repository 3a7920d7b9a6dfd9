"""Leftovers of killed runs on this host, as `virnucpro doctor` finds and removes them: of this user alone, and only
what says itself who made it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.cli.work_folder import WORK_FOLDER, remove_if_empty
from virnucpro_tasks.errors import VirnucproError, printable
from virnucpro_tasks.jobs.leftovers import (
    DAY_SECONDS,
    left_behind,
    left_in,
    remove_leftover,
    seconds_since_change,
)
from virnucpro_tasks.system.owners import Found, Life, read_mark
from virnucpro_tasks.system.run_lock import RunLock, lock_files
from virnucpro_tasks.system.temporary import MARK_FILE

PREFIXES = ("vnp-", "virnucpro-")
"""Beginnings of the names of temporary folders."""

LOCK = "lock of a run"

LONG_DAYS = 7
"""Days without a change after which a temporary folder whose maker nobody can look for counts as left behind."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file or folder that a killed run left, and what it is."""

    path: Path
    kind: str

    def __str__(self) -> str:
        return printable(f"{self.path} ({self.kind})")


def find_leftovers(folders: Iterable[Path]) -> list[Leftover]:
    """The leftovers in the temporary folders of this host and in `folders`: stores, folders of results, others.

    `folders` themselves are looked into, not what is below other folders in them. No symbolic link is followed.
    """
    found = [leftover for parent in temporary_parents() for leftover in _temporary_folders(parent)]
    for folder in folders:
        found += _temporary_folders(folder)
        found += [Leftover(file, LOCK) for file in lock_files(folder) if _is_gone(file, DAY_SECONDS)]
        found += [Leftover(path, "unfinished file") for path in left_in(folder)]
        for store in (folder, folder / WORK_FOLDER):
            if not store.is_symlink():
                found += [Leftover(path, "unfinished file of a job") for path in left_behind(store)]
                found += _temporary_folders(store) if store != folder else []
    return list({leftover.path: leftover for leftover in found}.values())


def remove_leftovers(folders: Iterable[Path], leftovers: Iterable[Leftover]) -> list[Leftover]:
    """Remove `leftovers`, and work folders in `folders` without any work; returns what could not be removed."""
    leftovers = list(leftovers)
    for leftover in leftovers:
        if leftover.kind != LOCK:
            remove_leftover(leftover.path)
    locked = {leftover.path.parent for leftover in leftovers if leftover.kind == LOCK}
    for folder in {*folders, *locked}:
        work = folder / WORK_FOLDER
        if folder in locked or (work.is_dir() and not work.is_symlink()):
            # As a run would, that takes over what is stale: another one may begin at this moment.
            with suppress(VirnucproError), RunLock(folder):
                remove_if_empty(work)
    return [leftover for leftover in leftovers if os.path.lexists(leftover.path)]


def temporary_parents() -> list[Path]:
    """The folders of this host in which runs make temporary ones."""
    named = [os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.getuid()}", os.environ.get("TMPDIR")]
    with suppress(OSError):
        named.append(tempfile.gettempdir())
    there = {Path(name).resolve() for name in (*named, "/tmp", "/var/tmp", "/dev/shm") if name}
    return sorted(folder for folder in there if folder.is_dir())


def _temporary_folders(parent: Path) -> Iterator[Leftover]:
    for entry in _entries(parent):
        folder = Path(entry)
        if entry.name.startswith(PREFIXES) and entry.is_dir(follow_symlinks=False) and _is_ours(folder):
            mark = folder / MARK_FILE
            if mark.is_file() and not mark.is_symlink() and _is_gone(mark, LONG_DAYS * DAY_SECONDS, changed=folder):
                yield Leftover(folder, "temporary folder of a run")


def _is_gone(mark: Path, seconds: float, *, changed: Path | None = None) -> bool:
    """Whether the maker of a mark is gone; where nobody can tell, whether nothing has `changed` for so long."""
    with suppress(OSError):
        found: Found = read_mark(mark)
        if found.life is Life.UNKNOWN:
            return _is_ours(mark) and seconds_since_change(changed or mark) > seconds
        return _is_ours(mark) and found.life is Life.GONE
    return False


def _is_ours(path: Path) -> bool:
    with suppress(OSError):
        return path.lstat().st_uid == os.geteuid()
    return False


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as found:
        return list(found)
    return []

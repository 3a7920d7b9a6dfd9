"""Tries what jobs ask of the file system of a store, and says which guarantee is missing without it."""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from virnucpro_tasks.errors import StoreError, counted
from virnucpro_tasks.system.file_errors import NO_INODES
from virnucpro_tasks.system.file_operations import (
    make_folder,
    open_to_append,
    remove_tree,
    rename_over,
    temporary_beside,
)

SKEW_SECONDS = 5.0
"""Difference between the clocks of this host and of the file server that is worth a word."""

FEW_INODES = 1_000

OTHER_STORE = "use a store on another file system"


@dataclass(frozen=True, slots=True)
class Shortcoming:
    """Something that a file system lacks, and what that means for a deployment."""

    what: str
    meaning: str

    def __str__(self) -> str:
        return f"{self.what}: {self.meaning}"


def shortcomings(store: Path) -> list[Shortcoming]:
    """The list of what the file system of `store` lacks; no result depends on it. Makes a missing `store`.

    Raises StoreError if results could be wrong on it, OSError if it cannot be written now.
    """
    place = temporary_beside(store / "check")
    make_folder(place)
    try:
        return [*_space(store), *(found for probe in _PROBES for found in probe(place))]
    finally:
        remove_tree(place)


def _content(place: Path) -> Iterator[Shortcoming]:
    """Without these a job would read other bytes than were written: there is no doing without."""
    file, content = place / "content", secrets.token_bytes(1 << 16)
    file.write_bytes(b"old")
    new = place / "new"
    new.write_bytes(content)
    rename_over(new, file)
    if file.read_bytes() != content or new.exists():
        raise StoreError(f"files in {place.parent} are not what was written to them", hint=OTHER_STORE)
    for part in (b"one", b"two"):
        with open_to_append(place / "appended") as handle:
            handle.write(part)
    if (place / "appended").read_bytes() != b"onetwo":
        raise StoreError(f"what is appended to files in {place.parent} is lost", hint=OTHER_STORE)
    yield from ()


def _exclusive(place: Path) -> Iterator[Shortcoming]:
    file = place / "exclusive"
    try:
        for _ in range(2):
            file.open("x").close()
    except FileExistsError:
        return
    except OSError:
        file.unlink(missing_ok=True)
    yield Shortcoming(
        "no exclusive creation of files", "start a new store with one process alone, so that it has one id"
    )


def _lock(place: Path) -> Iterator[Shortcoming]:
    with (place / "lock").open("wb") as first, (place / "lock").open("wb") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:
            pass
    yield Shortcoming("no locks (flock)", "files are, and one that a killed client left costs the next 20 s")


def _sync(place: Path) -> Iterator[Shortcoming]:
    paths = {"files": place / "content", "folders": place}
    if kinds := [kind for kind, path in paths.items() if not _works(partial(_fsynced, path))]:
        yield Shortcoming(
            f"no fsync of {' and '.join(kinds)}",
            "after a crash the newest files may be gone: they are made again, a lost job is to be submitted again",
        )


def _fsynced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _links(place: Path) -> Iterator[Shortcoming]:
    if not _works(lambda: os.link(place / "content", place / "linked")):
        yield Shortcoming("no hard links", "each job has a copy of its inputs, which takes room")


def _modes(place: Path) -> Iterator[Shortcoming]:
    file = place / "content"
    before = stat.S_IMODE(file.stat().st_mode)
    if not _works(lambda: file.chmod(before ^ stat.S_IWOTH)) or stat.S_IMODE(file.stat().st_mode) == before:
        yield Shortcoming("no changes of modes (chmod)", "run all clients and workers as one user")


def _memory(place: Path) -> Iterator[Shortcoming]:
    def mapped() -> None:
        with (place / "content").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
            pass

    if not _works(mapped):
        yield Shortcoming("no files in memory (mmap)", "files are read whole, which takes memory")


def _names(place: Path) -> Iterator[Shortcoming]:
    (place / "Name").touch()
    if (place / "nAME").exists():
        yield Shortcoming("no difference between A and a in names", "no two files of a job differ in that alone")


def _clock(place: Path) -> Iterator[Shortcoming]:
    file = place / "clock"
    before = time.time()
    file.touch()
    skew = file.stat().st_mtime - before
    if abs(skew) > SKEW_SECONDS:
        yield Shortcoming(
            f"no common time: the clock of its server is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}",
            "set both by NTP; leases go by the clock of Redis alone",
        )


def _space(store: Path) -> Iterator[Shortcoming]:
    with suppress(OSError):
        found = os.statvfs(store)
        if 0 < found.f_favail < FEW_INODES < found.f_files:
            yield Shortcoming(f"only {counted(found.f_favail, 'inode')} left", f"a shard takes several; {NO_INODES}")


_PROBES: tuple[Callable[[Path], Iterator[Shortcoming]], ...] = (
    *(_content, _exclusive, _lock, _sync, _links, _modes, _memory, _names, _clock),
)


def _works(operation: Callable[[], object]) -> bool:
    try:
        operation()
    except (OSError, ValueError):
        return False
    return True

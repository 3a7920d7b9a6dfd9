"""Who may read an input besides the user who submits it: a copy or a link of it is never open to more people."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.jobs.rights import ALL, PRIVATE
from virnucpro_tasks.jobs.staging import STANDARD_INPUT
from virnucpro_tasks.system.file_operations import persistently
from virnucpro_tasks.system.users import READ, SEARCH, mode_allows

STANDARD_INPUT_FILE = Path("/proc/self/fd/0")


@dataclass(frozen=True, slots=True)
class Closed:
    """An input, and the file or folder whose mode keeps people from reading it."""

    source: Path
    by: Path
    mode: int


@dataclass(frozen=True, slots=True)
class Readers:
    """The inputs that a group, and that all other users, may not read."""

    to_group: tuple[Closed, ...] = ()
    to_others: tuple[Closed, ...] = ()


def readers_of(sources: Iterable[Path], *, gid: int, store: Path) -> Readers:
    """Find which files and folders are closed to the group `gid`, and to all others, by their modes.

    Folders that lead to `store` as well are left out: they protect what is in the store in the same way. What has no
    mode of its own, as a pipe, a terminal or a missing file, is closed to nobody.
    """
    # By os.path: pathlib raises for links in a circle.
    shared = frozenset(Path(os.path.realpath(store)).parents)
    ways = [(source, steps) for source in sources if (steps := _steps(source, shared))]
    return Readers(
        tuple(found for source, steps in ways if (found := _closed(source, steps, gid)) is not None),
        tuple(found for source, steps in ways if (found := _closed(source, steps, None)) is not None),
    )


def results_mode(sources: Iterable[Path], output: Path) -> int:
    """The mode of a new folder of results: closed to others unless they may read all of the inputs."""
    return PRIVATE if readers_of(sources, gid=os.getegid(), store=output).to_others else ALL


_Step = tuple[Path, os.stat_result, int]
"""A file or folder on the way to an input, what the file system tells of it, and the right that reading it takes."""


def _steps(source: Path, shared: frozenset[Path]) -> list[_Step]:
    real = Path(os.path.realpath(STANDARD_INPUT_FILE if source == STANDARD_INPUT else source))
    try:
        facts = persistently(real.stat)
        if not (stat.S_ISREG(facts.st_mode) or stat.S_ISFIFO(facts.st_mode) or stat.S_ISDIR(facts.st_mode)):
            return []
        wanted = READ | SEARCH if stat.S_ISDIR(facts.st_mode) else READ
        folders = [(folder, persistently(folder.stat), SEARCH) for folder in real.parents if folder not in shared]
    except OSError:
        # Opening it will tell why.
        return []
    return [(real, facts, wanted), *folders]


def _closed(source: Path, steps: Iterable[_Step], gid: int | None) -> Closed | None:
    for path, facts, wanted in steps:
        if not mode_allows(facts, wanted, gid=gid):
            return Closed(source, path, stat.S_IMODE(facts.st_mode))
    return None

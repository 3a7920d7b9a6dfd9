"""The rights of a job's folder, by which it is open to those who may read its inputs, and to workers."""

from __future__ import annotations

import stat
from contextlib import suppress
from dataclasses import dataclass
from os import stat_result
from pathlib import Path

from virnucpro_tasks.system.file_operations import make_folder, persistently
from virnucpro_tasks.system.users import READ, mode_allows

ALL, GROUP, OTHERS = 0o777, 0o070, 0o007
PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class JobRights:
    """The rights of a job: the mode of its folder before the umask, and the group by which workers come in.

    `group` is None if they are the user who submits. With `sets_group` the folder needs the setgid bit, since the one
    above does not hand it on.
    """

    mode: int = ALL
    group: int | None = None
    sets_group: bool = False

    @classmethod
    def copied_from(cls, job_folder: Path) -> JobRights:
        """The rights of a folder for copies of what is in a job: closed if the job is. Raises OSError."""
        open_to_others = 0o005
        is_open = persistently(job_folder.stat).st_mode & open_to_others == open_to_others
        return cls(ALL if is_open else PRIVATE)

    def lets_read(self, facts: stat_result) -> bool:
        """Whether workers may read a file with its own mode."""
        return self.group is None or mode_allows(facts, READ, gid=self.group)


PLAIN_RIGHTS = JobRights()
"""Those of a job of public inputs whose workers are the user who submits."""


def make_job_folder(folder: Path, rights: JobRights) -> None:
    """Make the folder of a job, closed from the beginning to those who are to stay out. Raises OSError."""
    make_folder(folder.parent)
    persistently(lambda: folder.mkdir(mode=rights.mode))
    if rights.sets_group:
        # Where there are no modes nobody is kept out by them either.
        with suppress(OSError):
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_ISGID)

"""Says who may cancel, resume and remove a job: the user who submitted it, the owner of the store, and root.

It goes by the owner of the job's folder, which the system has written, not by the name in job.json, which anybody can
choose. Whoever may write in a store and in Redis can do without these commands: see `docs/users.md`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.paths import JobPaths
from virnucpro_tasks.system.file_operations import exists, persistently, temporary_beside
from virnucpro_tasks.system.users import sudo_name, user_name


def require_authority(paths: JobPaths, action: str) -> None:
    """Raise JobError unless this user may do what `action` names (as "cancel") to a job. A missing job is nobody's."""
    if (owner := foreign_owner(paths)) is None:
        return
    operator = user_name(persistently(paths.store.stat).st_uid)
    others = "" if operator == owner else f" or {operator}, who has the store,"
    raise JobError(
        f"{owner} submitted it; you are {user_name(os.geteuid())}",
        job_id=paths.job_id,
        hint=f"{owner}{others} can {action} it: sudo -u {sudo_name(operator)} virnucpro {action} ...",
    )


def foreign_owner(paths: JobPaths) -> str | None:
    """The name of the user whose job it is; None if this user may change it, or it is gone. Raises OSError."""
    me = os.geteuid()
    try:
        owner = persistently(paths.root.lstat).st_uid
        if me in (0, owner) or me == persistently(paths.store.stat).st_uid:
            return None
    except FileNotFoundError:
        return None
    return user_name(owner) if _keeps_owners(paths.root.parent) else None


def closed_folders(roots: Iterable[Path]) -> Iterator[Path]:
    """The folders below `roots`, and these, in which this user may delete nothing: a half removed job helps nobody."""
    waiting = list(roots)
    while waiting:
        folder = waiting.pop()
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield folder
            continue
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            waiting += [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]


def require_removable(paths: JobPaths) -> None:
    """Raise JobError for a job in which other users have made folders that this user may not empty."""
    if not exists(paths.root) or (closed := next(closed_folders([paths.root]), None)) is None:
        return
    owner = user_name(persistently(closed.lstat).st_uid)
    raise JobError(
        f"{closed} belongs to {owner}, whose umask has closed it: nothing was removed",
        job_id=paths.job_id,
        hint=f"sudo -u {sudo_name(owner)} virnucpro remove ..., and give the workers umask 002",
    )


def _keeps_owners(folder: Path) -> bool:
    """Whether a file belongs to who makes it; on some mounts (vfat, CIFS) all files have one owner."""
    probe = temporary_beside(folder / "owner")
    try:
        probe.touch(exist_ok=False)
        return probe.stat().st_uid == os.geteuid()
    except OSError:
        # Whoever may not even make a file there cannot change a job of others.
        return True
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)

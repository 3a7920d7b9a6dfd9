"""The user, groups and umask of this process, and what they allow in a folder that others use too."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import stat
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.system.file_operations import persistently

READ, WRITE, SEARCH = 0o4, 0o2, 0o1
STATUS_FILE = Path("/proc/self/status")


def login_name() -> str:
    """The login name of the user of this process, or the user id if it has no name (containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def own_umask() -> int | None:
    """The umask of this process, None where the kernel does not tell; it is not changed for a moment to see it."""
    with suppress(OSError, ValueError):
        for line in STATUS_FILE.read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return None


def own_groups() -> tuple[int, ...]:
    """The numbers of all groups of this process, sorted."""
    return tuple(sorted({os.getegid(), *os.getgroups()}))


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the system by number, with his groups."""

    uid: int
    groups: Collection[int]

    @classmethod
    def own(cls) -> Account:
        """The account of this process."""
        return cls(os.geteuid(), own_groups())


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """The owner, group and mode of a folder in which several users make files."""

    uid: int
    gid: int
    mode: int

    @classmethod
    def at(cls, path: Path) -> SharedFolder:
        """The rights of the folder `path`. Raises OSError."""
        facts = persistently(path.stat)
        return cls(facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode))

    @property
    def hands_on_its_group(self) -> bool:
        """Whether what is made in it gets its group (the setgid bit)."""
        return bool(self.mode & stat.S_ISGID)


def may_write(who: Account, folder: SharedFolder) -> bool:
    """Whether `who` may make files in `folder`, as far as its mode says."""
    return who.uid == 0 or _allows(who, folder, WRITE | SEARCH)


def may_read(who: Account, folder: SharedFolder) -> bool:
    """Whether `who` may list `folder` and open what is in it, as far as its mode says."""
    return who.uid == 0 or _allows(who, folder, READ | SEARCH)


def _allows(who: Account, folder: SharedFolder, wanted: int) -> bool:
    shift = 6 if who.uid == folder.uid else 3 if folder.gid in who.groups else 0
    return folder.mode & wanted << shift == wanted << shift


def mode_allows(facts: os.stat_result, wanted: int, *, gid: int | None) -> bool:
    """Whether the mode of a file or folder gives `wanted` to the group `gid`, with None to users of no group of it."""
    shift = 3 if facts.st_gid == gid else 0
    return facts.st_mode & wanted << shift == wanted << shift


def folder_made_by(maker: Account, *, umask: int, inside: SharedFolder, group: int) -> SharedFolder:
    """The folder that `maker`, whose first group is `group`, makes in another one with this umask."""
    gid = inside.gid if inside.hands_on_its_group else group
    return SharedFolder(maker.uid, gid, 0o777 & ~umask)


def user_name(uid: int) -> str:
    """The name of a user, or his number where it has none (containers)."""
    with suppress(KeyError, OSError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def sudo_name(user: str) -> str:
    """Return the name of a user as sudo takes it: a number has a sign before it."""
    return f"'#{user}'" if user.isdigit() else user


def group_name(gid: int) -> str:
    """The name of a group, or its number where it has none."""
    with suppress(KeyError, OSError):
        return grp.getgrgid(gid).gr_name
    return str(gid)

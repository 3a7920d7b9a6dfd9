"""Being another user of the system for a while, as the kernel sees it; only root can."""

from __future__ import annotations

import builtins
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

LAB = 61_500
"""A group of several users."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user by number, with a group of the same number, and more groups."""

    uid: int
    groups: tuple[int, ...] = ()

    @contextmanager
    def at_work(self, *, umask: int = 0o002) -> Iterator[None]:
        """Be this user in the block: the kernel refuses what it would refuse them."""
        before, groups = os.umask(umask), os.getgroups()
        # The saved user stays root, so that there is a way back.
        os.setgroups([self.uid, *self.groups])
        os.setresgid(self.uid, self.uid, 0)
        os.setresuid(self.uid, self.uid, 0)
        try:
            with mock.patch.object(builtins, "__import__", _import_as_root):
                yield
        finally:
            os.setresuid(0, 0, 0)
            os.setresgid(0, 0, 0)
            os.setgroups(groups)
            os.umask(before)


_import = builtins.__import__


def _import_as_root(*arguments: Any, **named: Any) -> Any:
    """Import as root: an interpreter in the home folder of root is closed to other users."""
    user = os.geteuid()
    os.setresuid(0, 0, 0)
    try:
        return _import(*arguments, **named)
    finally:
        os.setresuid(user, user, 0)


SERVICE = Person(61_000, (LAB,))
ANN, BEN = Person(61_001, (LAB,)), Person(61_002, (LAB,))
STRANGER = Person(61_003)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, as pytest's are not. Skips the test unless it runs as root."""
    if os.geteuid() != 0:
        pytest.skip("only root can be other users")
    folder = Path(tempfile.mkdtemp(prefix="virnucpro-users-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def shared_store(folder: Path, *, mode: int = 0o3775) -> Path:
    """A store of SERVICE in `folder` that is set up for the group LAB."""
    store = folder / "store"
    for place, its_mode in ((store, 0o2775), (store / "jobs", mode), (store / "names", 0o2775)):
        place.mkdir()
        os.chown(place, SERVICE.uid, LAB)
        place.chmod(its_mode)
    (store / "submissions").mkdir()
    os.chown(store / "submissions", SERVICE.uid, LAB)
    (store / "submissions").chmod(0o2775)
    return store

"""Asks a file system for its free room without waiting for a mount that does not answer."""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path

import msgspec

from virnucpro_tasks.system.file_errors import cause_of

MOST_SECONDS = 0.5


class FreeRoom(msgspec.Struct, frozen=True):
    """The bytes and inodes that are free where `folder` is, None where the file system does not count them.

    `error` says why it could not be asked.
    """

    folder: str
    free_bytes: int | None = None
    free_files: int | None = None
    error: str = ""


def free_room(folder: Path, *, expected: str = "", seconds: float = MOST_SECONDS) -> FreeRoom:
    """The free room of `folder`, in which there must be a file named `expected`, if one is given.

    A mount that has not answered for `seconds` is an error, and as long as it does not, no further thread waits for it.
    """
    return _asker(folder, expected).ask(seconds)


@cache
def _asker(folder: Path, expected: str) -> _Asker:
    return _Asker(folder, expected)


class _Asker:
    """Asks about one folder in one thread at a time: one that a stuck mount never lets go stays alone."""

    def __init__(self, folder: Path, expected: str) -> None:
        self._folder = folder
        self._expected = expected
        self._thread: threading.Thread | None = None
        self._found: FreeRoom | None = None

    def ask(self, seconds: float) -> FreeRoom:
        """Ask, and wait so long for the answer."""
        if self._thread is None or not self._thread.is_alive():
            self._found = None
            self._thread = threading.Thread(target=self._look, name="free-room", daemon=True)
            self._thread.start()
        self._thread.join(seconds)
        return self._found or FreeRoom(str(self._folder), error="it does not answer")

    def _look(self) -> None:
        try:
            if self._expected:
                (self._folder / self._expected).stat()
            found = os.statvfs(self._folder)
        except FileNotFoundError as error:
            missing = f"there is no {error.filename}"
            self._found = FreeRoom(str(self._folder), error=missing)
        except OSError as error:
            self._found = FreeRoom(str(self._folder), error=cause_of(error, self._folder).words)
        else:
            self._found = FreeRoom(
                str(self._folder),
                found.f_bavail * found.f_frsize if found.f_blocks else None,
                found.f_favail if found.f_files else None,
            )

"""A file that is being fetched: its first bytes in a place of their own, and where they came from.

    FOLDER/.partial/NAME            the bytes so far
    FOLDER/.partial/NAME.json       Origin: the address, and the mark of the version that the server sent
    FOLDER/NAME                     appears when all is there and verified

Every block is given to the operating system at once, so a killed process loses only what was still on its way.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from virnucpro_tasks.errors import OutputError
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.file_operations import exists, fsync, make_folder, rename_over, sync
from virnucpro_tasks.system.files import write_bytes

PARTIAL_FOLDER = ".partial"
_BLOCK_BYTES = 4 << 20


class Origin(Struct, frozen=True):
    """The origin of the bytes of a partial file.

    `version` is the strong entity tag or the time of change that the server stated, empty if none; `total_bytes` the
    size of the whole file, if stated.
    """

    address: str
    version: str = ""
    total_bytes: int | None = None


def partial_path(final: Path) -> Path:
    """The file that holds the bytes of `final` until it is complete."""
    return final.parent / PARTIAL_FOLDER / final.name


class PartialFile:
    """Context manager: the partial file of `final`, open at its end, with the bytes that are there already hashed.

    `pieces` is the number of answers that its bytes come from. Raises OutputError if it cannot be written.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = partial_path(final)
        self.size = 0
        self.pieces = 0
        self.origin: Origin | None = None
        self._note = self.path.with_name(f"{final.name}.json")
        self._digest = hashlib.sha256()
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            make_folder(self.path.parent)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self.origin = self._read_origin()
            if self.origin is None:
                self.clear()
            while block := os.read(self._descriptor, _BLOCK_BYTES):
                self._digest.update(block)
                self.size += len(block)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.pieces = 1 if self.size else 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        if not self.size:
            self.discard()

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the bytes so far."""
        return self._digest.hexdigest()

    def clear(self) -> None:
        """Forget all bytes."""
        try:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        except OSError as error:
            raise self._unwritable(error) from None
        self.size, self.pieces, self.origin = 0, 0, None
        self._digest = hashlib.sha256()

    def begin(self, origin: Origin) -> None:
        """Start anew with bytes from `origin`, whose note is on disk before the first of them."""
        self.clear()
        try:
            write_bytes(self._note, msgspec.json.encode(origin))
        except OSError as error:
            raise self._unwritable(error) from None
        self.origin = origin

    def require_room(self, total_bytes: int) -> None:
        """Raise OutputError unless the file system has room for the rest of `total_bytes`."""
        found = os.fstatvfs(self._descriptor)
        free, missing = found.f_bavail * found.f_frsize, total_bytes - self.size
        # A file system that does not tell its size says 0 of 0.
        if found.f_blocks and free < missing:
            raise OutputError(
                f"{self.final.parent} has room for {free:,} bytes, {self.final.name} needs {missing:,} more",
                hint="make room, or give another folder with --output; what is there is kept",
            )

    def append(self, block: bytes) -> None:
        """Write `block` behind the bytes so far. Raises OutputError; the bytes that were written are kept."""
        rest = memoryview(block)
        try:
            while rest:
                count = os.write(self._descriptor, rest)
                self._digest.update(rest[:count])
                self.size += count
                rest = rest[count:]
        except OSError as error:
            raise self._unwritable(error, kept=True) from None

    def publish(self, *, replace: bool = False) -> None:
        """Give the file its final name, durably. An existing file stays unless `replace`. Raises OutputError."""
        try:
            fsync(self._descriptor)
            if not replace and exists(self.final):
                raise OutputError(f"{self.final} appeared meanwhile", hint="repeat the command, which compares it")
            rename_over(self.path, self.final)
            sync(self.final.parent)
        except OSError as error:
            raise self._unwritable(error, kept=True) from None
        self.discard()

    def discard(self) -> None:
        """Remove the partial file and its note, and their folder if it is empty."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)
            self.path.parent.rmdir()

    def _read_origin(self) -> Origin | None:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=Origin)
        except (OSError, msgspec.MsgspecError, ValueError):
            return None

    def _unwritable(self, error: OSError, *, kept: bool = False) -> OutputError:
        cause = cause_of(error, self.path)
        advice = cause.advice or "give another folder with --output"
        after = f": {self.size:,} bytes of it are kept" if kept else ""
        return OutputError(
            f"{self.final} cannot be written: {cause.words}{after}",
            hint=f"{advice}, then repeat the command" + (", which goes on from there" if kept else ""),
        )

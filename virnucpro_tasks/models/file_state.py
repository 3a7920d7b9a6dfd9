"""The state of a file, by which a change is noticed, and the digests that are known of states.

A digest of gigabytes takes seconds, so it is kept for the state that the file had: in this process, and for large files
in a folder of this user, where another process finds it. A file that was changed has another state, and is hashed anew.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import BinaryIO

import msgspec
from msgspec import Struct

from virnucpro_tasks.system.file_operations import persistently

CACHE_VARIABLE = "XDG_CACHE_HOME"

LARGE_BYTES = 1 << 20
"""Smaller files are hashed in less time than it takes to care about them: other processes hash them themselves."""

RACY_SECONDS = 3.0
"""A file that was changed so shortly before it was hashed may be changed again without a new time: some file systems
count time in steps of 2 s. Its digest is not kept."""

MOST_HASHES = 5
"""Times that a file is hashed whose links or rights change meanwhile."""

_BLOCK_BYTES = 4 << 20
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class FileState(Struct, frozen=True):
    """The state of a file's content as `stat` tells it. Only the kernel sets `changed_ns`: no `touch` forges it."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, handle: BinaryIO) -> FileState:
        """The state of an open file; to open it has a network file system ask the server."""
        found = os.fstat(handle.fileno())
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def has_new_links_or_rights(self, before: FileState) -> bool:
        """Whether the file may have got another name, other rights or another owner since, and nothing else.

        Another command that hard-links the file does that. Only hashing tells it from a forged time.
        """
        return self != before and msgspec.structs.replace(self, changed_ns=before.changed_ns) == before

    def is_settled(self, now_ns: int) -> bool:
        """Whether a change from `now_ns` on gives another state for sure."""
        return max(self.modified_ns, self.changed_ns) + RACY_SECONDS * 1e9 < now_ns


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A digest that was found in a state."""

    state: FileState
    sha256: str


def state_of(path: Path) -> FileState:
    """The state of the file `path`. Raises OSError."""
    with persistently(lambda: path.open("rb")) as handle:
        return FileState.of(handle)


def hash_file(path: Path, stop: Event) -> tuple[FileState, str] | None:
    """Hash a file, with its state; None if it was changed meanwhile, or `stop` was set. Raises OSError."""
    block = bytearray(_BLOCK_BYTES)
    with persistently(lambda: path.open("rb", buffering=0)) as handle:
        for _ in range(MOST_HASHES):
            digest, state = hashlib.sha256(), FileState.of(handle)
            handle.seek(0)
            while count := handle.readinto(block):
                if stop.is_set():
                    return None
                digest.update(memoryview(block)[:count])
            after = FileState.of(handle)
            if after == state:
                return state, digest.hexdigest()
            if not after.has_new_links_or_rights(state):
                return None
    return None


class DigestCache:
    """Digests by path and state: of this process, and for large files of all processes of this user."""

    def __init__(self) -> None:
        self._entries: dict[Path, Entry] = {}

    def find(self, path: Path, state: FileState) -> str | None:
        """The digest that `path` had in this state, if it is known."""
        entry = self._entries.get(path)
        if (entry is None or entry.state != state) and state.size >= LARGE_BYTES:
            entry = _read(path)
        return entry.sha256 if entry is not None and entry.state == state else None

    def keep(self, path: Path, state: FileState, sha256: str, *, hashed_from_ns: int) -> None:
        """Keep the digest of a file whose hashing began at `hashed_from_ns`, unless it had only just been changed."""
        if not state.is_settled(hashed_from_ns):
            return
        self._entries[path] = Entry(state, sha256)
        if state.size >= LARGE_BYTES:
            # Without the folder the file is hashed again by the next process.
            with suppress(OSError):
                _write(path, self._entries[path])


def cache_folder(environment: Mapping[str, str] | None = None) -> Path | None:
    """The folder of digests of this user; None if there is no home folder."""
    stated = Path((os.environ if environment is None else environment).get(CACHE_VARIABLE) or "")
    try:
        base = stated if stated.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "virnucpro" / "digests" if base.is_absolute() else None


def _read(path: Path) -> Entry | None:
    """The kept entry of `path`, if nobody else can have written it."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        if not _is_ours(folder.stat()):
            return None
        file = _file(folder, path)
        with file.open("rb") as handle:
            return msgspec.json.decode(handle.read(), type=Entry) if _is_ours(os.fstat(handle.fileno())) else None
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


def _write(path: Path, entry: Entry) -> None:
    folder = cache_folder()
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not _is_ours(folder.stat()):
        return
    temporary = folder / f".{os.getpid()}-{time.monotonic_ns()}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(msgspec.json.encode(entry))
        temporary.replace(_file(folder, path))
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _file(folder: Path, path: Path) -> Path:
    return folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()}.json"


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE

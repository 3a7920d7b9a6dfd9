"""A lock that is held for moments, while a submission is looked up; no result depends on it.

Without it equal submissions at the same moment may become two jobs, which compute the same. So it gives way: to a file
system that has no flock a file beside the note is the lock, and after WAIT_SECONDS nobody is waited for any more.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from virnucpro_tasks.system.file_operations import make_folder, open_to_append

log = logging.getLogger(__name__)

WAIT_SECONDS = 20.0
POLL_SECONDS = 0.02


@contextmanager
def submission_lock(note: Path) -> Iterator[None]:
    """Create `note` if needed, and hold an exclusive lock on it. Raises OSError if `note` cannot be written."""
    make_folder(note.parent)
    with open_to_append(note) as handle:
        try:
            is_held = _waited_for(lambda: _has_flock(handle.fileno()))
        except OSError:
            with _file_lock(note.with_name(f"{note.name}.lock")):
                yield
            return
        if not is_held:
            log.warning("%s is locked for %.0f s now: not waited for any longer", note, WAIT_SECONDS)
        yield


def _waited_for(attempt: Callable[[], bool]) -> bool:
    """Make the attempt until it succeeds; False after WAIT_SECONDS."""
    end = time.monotonic() + WAIT_SECONDS
    while not attempt():
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _has_flock(descriptor: int) -> bool:
    """Take the lock if it is free. Raises OSError if the file system has no such lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _file_lock(file: Path) -> Iterator[None]:
    """Hold a lock that is the existence of `file`; one that its owner left behind is broken after WAIT_SECONDS."""
    token = f"{os.uname().nodename} {os.getpid()} {secrets.token_hex(4)}\n"
    if not _waited_for(lambda: _was_created(file, token)):
        with suppress(OSError):
            file.write_text(token)
    try:
        yield
    finally:
        with suppress(OSError):
            if file.read_text() == token:
                file.unlink()


def _was_created(file: Path, token: str) -> bool:
    try:
        with file.open("x") as handle:
            handle.write(token)
    except FileExistsError:
        return False
    # A file system that makes no file here refuses the note as well, and that is told.
    except OSError:
        return True
    return True

"""Notes of workers to their supervisor, and of it to the command that started it: one JSON line a note, in a pipe.

A pipe needs neither a disk with room nor Redis. Nobody waits for it: a note for which there is no room is dropped. The
other way goes a signal, END_SIGNAL.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from enum import StrEnum

import msgspec

MOST_TEXT_CHARACTERS = 600
"""A note fits into PIPE_BUF bytes, so that those of several processes are not mixed up."""

END_SIGNAL = signal.SIGRTMIN
"""Signal of a command to the supervisor that it started: the workers hold no part of a job and are to end at once."""

_READ_BYTES = 65_536


class NoteKind(StrEnum):
    """The kind of event in a worker's life that a note tells."""

    DEVICES = "devices"
    """The supervisor has chosen the devices; `text` says which and why."""

    STARTED = "started"
    """Its process has been started and loads what it needs."""

    READY = "ready"
    """It can take work."""

    WORKING = "working"
    """It has begun a task."""

    WORKED = "worked"
    """It has finished the task."""

    LOST = "lost"
    """Its computing process has died, and another one is started; `status` is the return code."""

    HUNG = "hung"
    """Its computing process made no progress, which `text` describes, and is about to be killed."""

    FAILED = "failed"
    """It is about to end because of the error in `text`."""

    DIED = "died"
    """It has ended without being asked to; `text` says how, why, and when it is started again."""

    GIVEN_UP = "given-up"
    """It has died too often: all workers are stopped. `text` says why, `hint` what to do."""


class Note(msgspec.Struct, frozen=True):
    """One event of the worker process `worker`."""

    worker: str
    kind: NoteKind
    text: str = ""
    hint: str = ""
    status: int | None = None


class NoteWriter:
    """The end of the pipe that is written to; None is nobody who reads."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        if fd is not None:
            os.set_blocking(fd, False)

    def write(self, note: Note) -> None:
        if self._fd is None:
            return
        short = msgspec.structs.replace(note, text=note.text[:MOST_TEXT_CHARACTERS])
        with suppress(OSError):  # nobody reads, or not fast enough
            os.write(self._fd, msgspec.json.encode(short) + b"\n")


class NoteReader:
    """The end of the pipe that is read from."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""
        os.set_blocking(fd, False)

    def read(self) -> list[Note]:
        """Return the notes that have arrived; does not wait. A line that is none is dropped."""
        while True:
            try:
                more = os.read(self._fd, _READ_BYTES)
            except OSError:
                break
            self._rest += more
            if not more:
                break
        *lines, self._rest = self._rest.split(b"\n")
        notes = []
        for line in lines:
            try:
                notes.append(msgspec.json.decode(line, type=Note))
            except msgspec.DecodeError:
                continue
        return notes

    def close(self) -> None:
        os.close(self._fd)


def pipe() -> tuple[NoteReader, int]:
    """Return a reader and the file descriptor of the other end, which no child inherits unless it is passed on."""
    read, write = os.pipe()
    return NoteReader(read), write

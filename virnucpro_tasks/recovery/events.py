"""The attempts file of a shard or of a stage: one typed event a line, only ever appended to.

    began             an attempt starts; on disk before the work
    passed            it came to its end
    handed-back       it was given up without a fault: the worker stops, or another worker has the message
    failed            an error, or its process was lost while the worker's parent lived to note it
    records-at-fault  the named records have no vectors, whoever computes them
    store-failed      the file system refused a file
    failed-outside    an error before or after the computation: no record is to blame

A line that cannot be read, or whose check differs, is a `Damaged` event.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from virnucpro_tasks.system.file_operations import by_name, fsync, open_to_append, persistently
from virnucpro_tasks.system.files import checksum

WHOLE = "whole"
"""The probe of a shard as it is. A damaged line counts as an attempt at it, so for nothing in the file of a stage."""

_CHECK, _CHECK_CHARACTERS = "check", 16
"""The field of a line that holds the beginning of the checksum of its other fields."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="event"):
    """Something that happened to an attempt at `probe` (of a shard) or at a stage (of a job), and who wrote it."""

    probe: str
    at: str = msgspec.field(default_factory=_now)
    host: str = msgspec.field(default_factory=socket.gethostname)
    pid: int = msgspec.field(default_factory=os.getpid)


class Began(Event, frozen=True, kw_only=True, tag="began"):
    """An attempt starts. `parent` is the pid of the worker's parent process, `message` the tag of its message."""

    parent: int = 0
    limit_seconds: float | None = None
    device: str = ""
    message: str = ""


class Passed(Event, frozen=True, kw_only=True, tag="passed"):
    """The attempt came to its end."""


class HandedBack(Event, frozen=True, kw_only=True, tag="handed-back"):
    """The attempt was given up without a fault."""


class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    """The attempt failed, or its process was lost."""

    reason: str


class RecordsAtFault(Event, frozen=True, kw_only=True, tag="records-at-fault"):
    """The attempt proved that `culprits` (record ordinals) cannot be computed."""

    reason: str
    culprits: tuple[int, ...]


class StoreFailed(Event, frozen=True, kw_only=True, tag="store-failed"):
    """The file system refused a file during the attempt."""

    reason: str


class FailedOutside(Event, frozen=True, kw_only=True, tag="failed-outside"):
    """An error outside of any attempt's computation."""

    reason: str


class Damaged(Event, frozen=True, kw_only=True, tag="damaged"):
    """A line that cannot be read; never written to the attempts file itself."""


_DAMAGED = Damaged(probe=WHOLE, at="", host="", pid=0)

AnyEvent = Began | Passed | HandedBack | Failed | RecordsAtFault | StoreFailed | FailedOutside


def append_event(path: Path, event: Event, *, durable: bool = True) -> int:
    """Append `event`; returns where its line ends in the file, in bytes. Raises OSError."""
    fields = msgspec.to_builtins(event)
    line = json.dumps(fields | {_CHECK: _check_of(fields)}).encode() + b"\n"
    with open_to_append(path) as handle:
        # In one write, for another worker may append at the same time; a truncated line is not continued.
        handle.write((b"" if persistently(lambda: _ends_with_newline(path)) else b"\n") + line)
        handle.flush()
        if durable:
            fsync(handle.fileno())
        return handle.tell()


def read_events(path: Path, *, after: int = 0) -> list[Event]:
    """Read the events of an attempts file behind its first `after` bytes, oldest first; a missing file has none."""

    def content() -> bytes:
        with path.open("rb") as handle:
            handle.seek(after)
            return handle.read()

    try:
        if after and persistently(path.stat).st_size <= after:
            return []
        lines = by_name(content, path).splitlines()
    except FileNotFoundError:
        return []
    # Where two hosts appended at the same time a network file system may leave a gap of zeros.
    lines = [line.strip(b"\0") for line in lines]
    return [event for line in lines if line and (event := _decoded(line)) is not None]


def open_attempt(events: Sequence[Event], *, host: str, parent: int) -> Began | None:
    """The last attempt that a child of process `parent` on `host` began and that has no end yet."""
    for place in range(len(events) - 1, -1, -1):
        event = events[place]
        if isinstance(event, Began) and (event.host, event.parent) == (host, parent):
            ended = any((later.host, later.pid) == (event.host, event.pid) for later in events[place + 1 :])
            return None if ended else event
    return None


def _decoded(line: bytes) -> Event | None:
    """The event of a line; None for a line of versions before 0.2, which told events apart by other fields."""
    try:
        fields = msgspec.convert(json.loads(line), dict[str, Any])
        if _CHECK in fields and fields.pop(_CHECK) != _check_of(fields):
            return _DAMAGED
        if "event" not in fields and "step" in fields:
            return None
        return msgspec.convert(fields, AnyEvent)
    except (ValueError, RecursionError):
        return _DAMAGED


def _check_of(fields: dict[str, Any]) -> str:
    return checksum(fields)[:_CHECK_CHARACTERS]


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as handle:
        if handle.seek(0, os.SEEK_END) == 0:
            return True
        handle.seek(-1, os.SEEK_END)
        return handle.read(1) == b"\n"

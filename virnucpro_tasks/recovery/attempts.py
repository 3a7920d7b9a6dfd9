"""What was tried with a shard: one line before every attempt, one for what became of it. Only ever appended to."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from virnucpro_tasks.files import checksum

WHOLE = "whole"
"""The step of an attempt at the shard as it is; a line that names none, or is no JSON, counts as one of these."""

DIED = "its worker died each time"
"""Nobody was left to say how: not the process alone but its whole worker, or the host, was lost."""

_CHECK, _CHECK_CHARACTERS = "check", 16
"""The field of a line that holds the beginning of the digest of its others, and how much of that."""

LOST_AN_ATTEMPT = 3
"""So many attempts whose whole worker was lost weigh as one that failed: mostly it was the host, or an operator."""


@dataclass(slots=True)
class History:
    """The lines of an attempts file, summed up by step.

    `tries` counts attempts that say something against the records of their step: one that was handed back by a stopping
    worker, that failed because of the store, or that found its culprits, does not. `failures` are those of them that
    ended with an error, or whose process died while its worker lived to tell. `done` are steps that ended
    well, `reasons` the last failure of each step, `culprits` why a record was found at fault, by record ordinal.
    """

    tries: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    done: set[str] = field(default_factory=set)
    reasons: dict[str, str] = field(default_factory=dict)
    culprits: dict[int, str] = field(default_factory=dict)
    store_failures: int = 0

    @classmethod
    def of(cls, entries: Sequence[dict[str, Any]]) -> History:
        """Sum up `entries`, oldest first."""
        history = cls()
        for entry in entries:
            step = str(entry.get("step", WHOLE))
            if "done" in entry:
                history.done.add(step)
            elif "handed_back" in entry:
                history.tries[step] -= 1
            elif "culprits" in entry:
                history.tries[step] -= 1
                history.culprits |= dict.fromkeys(entry["culprits"], entry["failed"])
            elif "store" in entry:
                history.tries[step] -= bool(entry["started"])
                history.store_failures += 1
            elif "failed" in entry:
                history.failures[step] += 1
                history.reasons[step] = entry["failed"]
            else:
                history.tries[step] += 1
        return history

    def weight(self, step: str) -> int:
        """Attempts at `step` that count against what is tried alone: each failure, and lost workers by threes."""
        failures = self.failures[step]
        return failures + max(0, self.tries[step] - failures) // LOST_AN_ATTEMPT

    def verdict(self, step: str) -> str:
        """Why the records of `step` have no vectors: how often it was tried, and the last failure."""
        return f"{self.tries[step]} attempts: {self.reasons.get(step, DIED)}"


def read_attempts(path: Path) -> list[dict[str, Any]]:
    """The lines of an attempts file; one that was cut off while it was written, or changed since, is an empty entry."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [_parsed(line) for line in lines if line]


def record(path: Path, step: str, **facts: Any) -> int:
    """Append a line about `step`, durably; returns where it ends in the file, in bytes."""
    where = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "step": step,
    }
    entry = where | facts
    with path.open("ab") as handle:
        # In one write: another worker may append at the same time. A line that was cut off is not continued.
        handle.write(_separator(path) + json.dumps(entry | {_CHECK: _check_of(entry)}).encode() + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
        return handle.tell()


def lines_after(path: Path, end: int) -> list[dict[str, Any]]:
    """The lines that were appended to an attempts file after its first `end` bytes; cheap if there are none."""
    if path.stat().st_size <= end:
        return []
    with path.open("rb") as handle:
        handle.seek(end)
        return [_parsed(line) for line in handle.read().decode(errors="replace").splitlines() if line]


def open_attempt(entries: Sequence[dict[str, Any]], *, host: str, parent: int) -> dict[str, Any] | None:
    """The last attempt that a child of process `parent` on `host` began and of which nothing more is known."""
    for place in range(len(entries) - 1, -1, -1):
        entry = entries[place]
        if entry.get("host") == host and entry.get("parent") == parent:
            ended = any(later.get("pid") == entry.get("pid") for later in entries[place + 1 :])
            return None if ended else entry
    return None


def _separator(path: Path) -> bytes:
    with path.open("rb") as handle:
        if handle.seek(0, os.SEEK_END) == 0:
            return b""
        handle.seek(-1, os.SEEK_END)
        return b"" if handle.read(1) == b"\n" else b"\n"


def _parsed(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(entry, dict):
        return {}
    if _CHECK in entry and entry.pop(_CHECK) != _check_of(entry):
        return {}
    return entry if _is_sound(entry) else {}


def _check_of(entry: dict[str, Any]) -> str:
    return checksum(entry)[:_CHECK_CHARACTERS]


def _is_sound(entry: dict[str, Any]) -> bool:
    """Whether it has what its kind of line has: a file may be damaged, and must not stop whoever reads it."""
    if not isinstance(entry.get("failed", ""), str) or ("store" in entry and "started" not in entry):
        return False
    if "culprits" not in entry:
        return True
    culprits = entry["culprits"]
    return "failed" in entry and isinstance(culprits, list) and all(type(ordinal) is int for ordinal in culprits)

"""Signs by which another process of this host shows whether it does anything, from /proc. Linux only."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STOPPED = "T"
"""State of a process that a signal has stopped; only another signal lets it go on, or ends it."""

WAITING_IN_KERNEL = "D"
"""State of a process that waits for a device or a file system, and that maybe not even SIGKILL can end."""

ENDED = frozenset("ZX")
"""States of a process that has ended and whose parent has not asked for its status yet."""

_PROC = Path("/proc")
_STATE, _PARENT, _MAJOR_FAULTS, _USER_TICKS, _SYSTEM_TICKS = 0, 1, 9, 11, 12
"""Places in /proc/PID/stat, counted from behind the name, which may hold spaces and brackets."""


@dataclass(frozen=True, slots=True)
class ProcessSigns:
    """The state of a process (a letter), its parent, and what all its threads have used since its start.

    `transfers` grows with each byte that is read or written, and with each page that is read from a file.
    """

    state: str
    parent: int
    processor_seconds: float
    transfers: int


def process_signs(pid: int) -> ProcessSigns | None:
    """Read the signs of process `pid`; None if there is none, or if this host does not tell."""
    try:
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        ticks = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
        return ProcessSigns(
            state=fields[_STATE].decode(),
            parent=int(fields[_PARENT]),
            processor_seconds=ticks / os.sysconf("SC_CLK_TCK"),
            transfers=int(fields[_MAJOR_FAULTS]) + _transferred_bytes(pid),
        )
    except (OSError, ValueError, IndexError):
        return None


def _transferred_bytes(pid: int) -> int:
    """Bytes that a process has read and written; 0 where nobody may know them."""
    with suppress(OSError, ValueError, KeyError):
        lines = (_PROC / str(pid) / "io").read_text().splitlines()
        counts = dict(line.split(": ") for line in lines)
        return int(counts["rchar"]) + int(counts["wchar"])
    return 0

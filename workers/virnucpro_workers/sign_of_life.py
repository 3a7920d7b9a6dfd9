"""Signs of life of a computing process, in memory that it shares with its parent: its activity, and a count of packs.

A parent process that lives proves nothing about the one that computes.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

_PID, _PACKS = struct.Struct("=q"), struct.Struct("=q")
_PACKS_AT, _ACTIVITY_AT = 8, 16
_BYTES = 17


class Activity(IntEnum):
    """The kind of work of a computing process."""

    LOADING = 0
    """It is not ready yet, or there is none; loading has a limit of its own."""

    IDLE = 1
    """It is between two tasks, maybe still giving Redis a result for as long as that is away."""

    WORKING = 2
    """It is at a task: reads, writes, splits, scores, finishes."""

    COMPUTING = 3
    """Its device computes packs."""


@dataclass(frozen=True, slots=True)
class Life:
    """Process, activity, and number of packs so far, as the computing process has told them last."""

    pid: int
    activity: Activity
    packs: int


class SignOfLife:
    """Written by a computing process and read by its parent, which has made it before the fork."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _BYTES)

    def read(self) -> Life:
        """In the parent: the last signs."""
        (pid,), (packs,) = _PID.unpack_from(self._shared, 0), _PACKS.unpack_from(self._shared, _PACKS_AT)
        return Life(pid, Activity(self._shared[_ACTIVITY_AT]), packs)

    def is_at_task(self) -> bool:
        """In the parent: whether the child is at a task."""
        return self.read().activity in (Activity.WORKING, Activity.COMPUTING)

    def begin(self) -> None:
        """In the child: it is ready for tasks."""
        _PID.pack_into(self._shared, 0, os.getpid())
        self._tell(Activity.IDLE)

    def end(self) -> None:
        """In the parent: the child is gone."""
        self._tell(Activity.LOADING)

    @contextmanager
    def working(self) -> Iterator[None]:
        """In the child: the block is a task."""
        self._tell(Activity.WORKING)
        try:
            yield
        finally:
            self._tell(Activity.IDLE)

    @contextmanager
    def computing(self) -> Iterator[Callable[[], None]]:
        """In the child: the block computes packs, and calls what it gets before each of them."""
        self._tell(Activity.COMPUTING)
        try:
            yield self._count
        finally:
            self._tell(Activity.WORKING)

    def _count(self) -> None:
        (packs,) = _PACKS.unpack_from(self._shared, _PACKS_AT)
        _PACKS.pack_into(self._shared, _PACKS_AT, packs + 1)

    def _tell(self, activity: Activity) -> None:
        self._shared[_ACTIVITY_AT] = activity

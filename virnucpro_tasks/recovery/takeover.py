"""Detects that another worker has started, or finished, a shard that is being computed here.

That happens to a process that was cut off or stopped for longer than its lease: the shard is then left to the worker
that has the message now.
"""

from __future__ import annotations

from pathlib import Path

from virnucpro_tasks.recovery.events import Began, read_events
from virnucpro_tasks.system.file_operations import persistently

FileIdentity = tuple[int, int] | None
"""Time of the last change and size. Without the inode, whose number some network file systems change."""


class TakeoverCheck:
    """Compares a shard's files with what they were when an attempt began; each check costs two `stat` calls.

    `message` is the delivery tag of the attempt's message. It stays the same when the message is delivered again, so
    another attempt with it has taken the message over. An attempt with another tag computes the shard independently:
    whichever writes its vectors first counts.
    `began_at` is where the attempt's own line ends in the attempts file.
    """

    def __init__(self, attempts: Path, vectors: Path, *, began_at: int, message: str) -> None:
        self._attempts, self._began_at, self._message = attempts, began_at, message
        self._vectors = vectors
        self._vectors_before = _identity(vectors)
        self.taken_over_by: Began | None = None
        """The attempt that has the message now."""

    def is_finished(self) -> bool:
        """Whether there is a file of vectors that was not there before."""
        return _identity(self._vectors) not in (None, self._vectors_before)

    def is_taken_over(self) -> bool:
        """Whether another worker has begun an attempt with the same message."""
        if self.taken_over_by is None and self._message:
            for event in read_events(self._attempts, after=self._began_at):
                if isinstance(event, Began) and event.message == self._message:
                    self.taken_over_by = event
        return self.taken_over_by is not None


def _identity(file: Path) -> FileIdentity:
    try:
        found = persistently(file.stat)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size

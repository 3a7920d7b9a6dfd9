"""Whether a shard that is being computed here has meanwhile been started, or finished, elsewhere.

That happens to a process that was cut off or stopped for longer than its lease. Whoever has the message now goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from virnucpro_tasks.recovery.attempts import lines_after

Identity = tuple[int, int, int] | None


class TakeoverCheck:
    """What became of a shard since an attempt at it began; each look costs two questions to the file system.

    `message` is the delivery tag of the attempt's message. It stays the same when the message is delivered again, so
    another attempt with it has taken the message over; one with another tag is an equal, and whoever ends first wins.
    """

    def __init__(self, attempts: Path, vectors: Path, *, end: int, message: str) -> None:
        self._attempts, self._end, self._message = attempts, end, message
        self._vectors = vectors
        self._before = _identity(vectors)
        self.taken_over_by: dict[str, Any] | None = None
        """The first line of the attempt that has the message now."""

    def is_finished(self) -> bool:
        """Whether there is a file of vectors that was not there before."""
        return _identity(self._vectors) not in (None, self._before)

    def is_taken_over(self) -> bool:
        """Whether somebody else has begun an attempt with the same message."""
        if self.taken_over_by is None and self._message:
            for entry in lines_after(self._attempts, self._end):
                if entry.get("message") == self._message:
                    self.taken_over_by = entry
        return self.taken_over_by is not None


def _identity(file: Path) -> Identity:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

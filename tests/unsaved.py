"""Files of tests need not outlive a power cut, and a disk takes milliseconds to save each."""

from __future__ import annotations

import os
import stat
from typing import IO, Any

save = os.fsync


def leave_unsaved() -> None:
    """Make `os.fsync` of this process and of its forks leave files and folders to the system."""
    os.fsync = _left_to_the_system  # type: ignore[assignment]


def _left_to_the_system(file: int | IO[Any]) -> None:
    number = file if isinstance(file, int) else file.fileno()
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        save(number)

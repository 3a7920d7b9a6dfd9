"""A time limit that nothing in the process can ignore."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End this process by SIGALRM unless the block is left within `seconds`.

    The kernel does it: a loop in C code that never comes back to Python is ended too. One at a time in a process.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)

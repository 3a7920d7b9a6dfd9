"""Limits the memory that this process may add, while it reads what it does not trust."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATM = Path("/proc/self/statm")


@contextmanager
def memory_limit(added_bytes: int) -> Iterator[None]:
    """Let the block raise MemoryError where it wants more than `added_bytes` of address space in addition.

    The limit is that of the process: for commands that do nothing else meanwhile. A lower one that it has stays.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = int(_STATM.read_text().split()[0]) * resource.getpagesize() + added_bytes
    known = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([wanted, *known]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

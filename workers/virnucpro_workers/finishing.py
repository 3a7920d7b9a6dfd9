"""How many processes finish a big job: as many as cores, memory and other limits of the host allow."""

from __future__ import annotations

from virnucpro_tasks.settings import MOST_FINISHING_PROCESSES

FINISHING_PROCESS_BYTES = 300_000_000
"""Memory of one process that finishes a big job."""


def finishing_processes(cores: int, *, free_bytes: int | None = None, free_processes: int | None = None) -> int:
    """Return the default of the setting `finishing_processes`, at least 1; limits that are not known are None."""
    most = [cores, MOST_FINISHING_PROCESSES]
    if free_bytes is not None:
        most.append(free_bytes // FINISHING_PROCESS_BYTES)
    if free_processes is not None:
        most.append(free_processes // 2)  # a process may start a thread
    return max(1, min(most))

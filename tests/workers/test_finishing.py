"""The number of processes that finish a big job."""

from __future__ import annotations

import pytest
from virnucpro_workers.finishing import FINISHING_PROCESS_BYTES, finishing_processes

from virnucpro_tasks.settings import MOST_FINISHING_PROCESSES


@pytest.mark.parametrize(
    ("cores", "free_bytes", "free_processes", "processes"),
    [
        (1, None, None, 1),
        (8, None, None, 8),
        (200, None, None, MOST_FINISHING_PROCESSES),
        (200, 64_000_000_000, None, MOST_FINISHING_PROCESSES),
        (8, 1_000_000_000, None, 3),
        (8, FINISHING_PROCESS_BYTES - 1, None, 1),
        (8, 0, None, 1),
        (64, 64_000_000_000, 10, 5),
        (64, None, 0, 1),
    ],
)
def test_cores_memory_and_processes_bound_it(
    cores: int, free_bytes: int | None, free_processes: int | None, processes: int
) -> None:
    assert finishing_processes(cores, free_bytes=free_bytes, free_processes=free_processes) == processes

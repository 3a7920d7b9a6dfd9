from __future__ import annotations

import signal
import subprocess
import sys

from virnucpro_tasks.system.processes import deadline

LOOP = """
import signal
from virnucpro_tasks.system.processes import deadline
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
with deadline(0.2):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""


def test_a_block_that_ignores_every_exception_is_ended_by_the_kernel() -> None:
    assert subprocess.run([sys.executable, "-c", LOOP], check=False, timeout=60).returncode == -signal.SIGALRM


def test_a_block_that_ends_leaves_no_clock_running() -> None:
    with deadline(3600):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)

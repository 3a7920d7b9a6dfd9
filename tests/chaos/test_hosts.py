from __future__ import annotations

import os
import signal
import subprocess
import sys

from virnucpro_tasks.chaos.hosts import children, send


def test_children_of_a_process_are_found_and_signalled() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert child.pid in children(os.getpid())
        assert children(child.pid) == []
        assert send(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    finally:
        child.kill()
        child.wait()
    assert not send(child.pid, signal.SIGKILL)
    assert children(child.pid) == []

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from virnucpro_tasks.system.process_signs import STOPPED, process_signs


def test_the_signs_of_a_child_change_with_what_it_does() -> None:
    with subprocess.Popen(
        ["sh", "-c", "kill -STOP $$; i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; cat"]
    ) as child:
        until = time.monotonic() + 30
        while (before := process_signs(child.pid)) is None or before.state != STOPPED:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert before.parent == os.getpid()
        assert process_signs(child.pid) == before
        child.send_signal(signal.SIGCONT)
        while (after := process_signs(child.pid)) is not None and after.processor_seconds <= before.processor_seconds:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert after is not None and after.state != STOPPED
        child.kill()
    assert process_signs(child.pid) is None


def test_what_is_read_and_written_is_counted() -> None:
    before = process_signs(os.getpid())
    with Path("/dev/zero").open("rb") as zeros:
        zeros.read(100_000)
    after = process_signs(os.getpid())
    assert before is not None and after is not None and after.transfers >= before.transfers + 100_000

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from virnucpro_tasks.errors import JobError
from virnucpro_tasks.system.processes import ENDING, ends_within, ordered_process_map, start_method

PARENT = """
import multiprocessing, signal
from virnucpro_tasks.system.processes import ordered_process_map
for _ in ordered_process_map(abs, [1], processes=1):
    print(multiprocessing.active_children()[0].pid, flush=True)
    signal.pause()
"""
PARENT_OF_ONE_THAT_SLEEPS = """
import signal, sys
from virnucpro_tasks.system.processes import ENDING, spawn
for number in (*ENDING, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
process = spawn([sys.executable, "-c", "import time; print(flush=True); time.sleep(1000)"])
try:
    print(process.pid, flush=True)
    sys.stdin.read()
finally:
    process.kill()
"""
ENDED_SECONDS = 30


def square(number: int) -> int:
    return number * number


def process_id(_: int) -> int:
    return os.getpid()


def refuse_three(number: int) -> int:
    if number == 3:
        raise JobError("the third", job_id="20260101-000000-abcdef", hint="leave it out")
    return number


def end_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("count", [0, 1, 4, 23])
def test_results_are_in_the_order_of_the_items(count: int) -> None:
    assert list(ordered_process_map(square, range(count), processes=2)) == [number * number for number in range(count)]


@pytest.mark.parametrize("kernel_tells", [True, False])
def test_the_end_of_a_process_is_waited_for_within_a_limit(monkeypatch: pytest.MonkeyPatch, kernel_tells: bool) -> None:
    if not kernel_tells:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert not ends_within(process, 0.05)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert ends_within(process, ENDED_SECONDS)
        assert process.returncode == 0
        assert ends_within(process, 0)


def test_a_process_with_threads_is_not_forked() -> None:
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait)
    thread.start()
    try:
        assert start_method() == "spawn"
        assert list(ordered_process_map(square, range(5), processes=2)) == [0, 1, 4, 9, 16]
    finally:
        ends.set()
        thread.join()
    assert start_method() == "fork" or threading.active_count() > 1 or not sys.platform.startswith("linux")


def test_other_processes_do_the_work() -> None:
    assert os.getpid() not in set(ordered_process_map(process_id, range(8), processes=2))


def test_no_item_is_taken_long_before_its_turn() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(50):
            taken.append(item)
            yield item

    results = ordered_process_map(square, items(), processes=2)
    for place in range(10):
        assert next(results) == place * place
        assert len(taken) <= place + 4
    results.close()
    assert len(taken) < 20


def test_an_error_comes_in_its_place_with_its_data() -> None:
    results = ordered_process_map(refuse_three, range(10), processes=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(JobError, match="the third") as caught:
        next(results)
    assert (caught.value.job_id, caught.value.hint) == ("20260101-000000-abcdef", "leave it out")
    assert str(caught.value) == "job 20260101-000000-abcdef: the third (leave it out)"


def test_a_killed_process_is_an_error() -> None:
    with pytest.raises(BrokenProcessPool):
        list(ordered_process_map(end_at_three, range(10), processes=2))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl and pidfd are Linux's")
def test_no_process_is_left_when_this_one_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    assert select.select([child], [], [], ENDED_SECONDS)[0]
    os.close(child)


def test_a_process_is_told_to_end_though_its_parent_was_started_by_a_shell_that_had_it_ignore_that() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT_OF_ONE_THAT_SLEEPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        pid = next(int(line) for line in parent.stdout if line.strip())
        status = Path(f"/proc/{pid}/status").read_text()
        ignored = int(next(line for line in status.splitlines() if line.startswith("SigIgn:")).split()[1], 16)
        assert [number for number in (*ENDING, signal.SIGHUP) if ignored >> (number - 1) & 1] == [signal.SIGHUP]
        parent.stdin.close()

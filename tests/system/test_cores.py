"""Limits to some cores, in a process of its own, since a limit cannot be taken back by what inherits it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from virnucpro_tasks.system import cores

HAVE = sorted(os.sched_getaffinity(0))
PROGRAM = """
import json, os, subprocess, sys, threading
from virnucpro_tasks.system.cores import limit_cores
from virnucpro_tasks.system.host import available_cores

wait = threading.Event()
threads = [threading.Thread(target=wait.wait) for _ in range(3)]
for thread in threads:
    thread.start()
limit_cores(int(sys.argv[1]))
own = [len(os.sched_getaffinity(int(task))) for task in os.listdir("/proc/self/task")]
child = subprocess.check_output([sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"])
wait.set()
print(json.dumps({"threads": own, "child": int(child), "cores": available_cores()}))
"""


def limited(most: int) -> dict[str, object]:
    """Cores of each thread of a process that is limited, of its child, and as the package counts them."""
    environment = os.environ | {"PYTHONPATH": str(Path(cores.__file__).resolve().parents[2])}
    return json.loads(subprocess.check_output([sys.executable, "-c", PROGRAM, str(most)], env=environment))


@pytest.mark.skipif(len(HAVE) < 2, reason="this process may use a single core")
def test_threads_that_exist_and_children_that_follow_keep_to_the_limit() -> None:
    assert limited(1) == {"threads": [1] * 4, "child": 1, "cores": 1}


def test_more_than_there_are_changes_nothing() -> None:
    found = limited(len(HAVE) + 5)
    assert found["child"] == len(HAVE) and found["threads"] == [len(HAVE)] * 4


def test_no_limit_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores.os, "sched_setaffinity", lambda *_: pytest.fail("limited"))
    cores.limit_cores(None)


def test_the_cores_with_the_least_load_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = iter(([0, 0, 0, 0], [50, 1, 40, 2]))

    def write(_seconds: float = 0) -> None:
        lines = [f"cpu{core} {busy} 0 0 100 7 0 0" for core, busy in enumerate(next(loads))]
        (tmp_path / "stat").write_text("\n".join(["cpu 1 2 3 4 5", *lines, "intr 5"]))

    taken: list[object] = []
    write()
    (tmp_path / "self" / "task" / "12").mkdir(parents=True)
    monkeypatch.setattr(cores.time, "sleep", write)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(cores.os, "sched_setaffinity", lambda *given: taken.append(given))
    cores.limit_cores(2, proc=tmp_path)
    assert taken == [(12, {1, 3})]


def test_without_numbers_of_load_some_cores_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, set[int]]] = []
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(cores.os, "sched_setaffinity", lambda *given: taken.append(given))
    cores.limit_cores(3, proc=tmp_path)
    ((thread, chosen),) = taken
    assert thread == 0 and len(chosen) == 3 and chosen < set(range(8))

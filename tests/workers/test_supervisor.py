"""The supervisor with real processes: restarts, permanent errors, stopping, no orphans."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from virnucpro_workers.deaths import Policy
from virnucpro_workers.health import Phase, heartbeat_file, write_heartbeat

from virnucpro_tasks.worker_notes import END_SIGNAL, Note, NoteKind

RUN = """
import json, sys
from pathlib import Path
from typing import Any
from virnucpro_workers.deaths import Policy
from virnucpro_workers.supervisor import Supervisor, WorkerSpec
from virnucpro_tasks.worker_notes import NoteWriter
specs, policy, run_dir = json.loads(sys.argv[1])
import os
specs = [WorkerSpec(name, tuple(command), dict(os.environ)) for name, command in specs]
sys.exit(Supervisor(specs, Policy(**policy), run_dir=Path(run_dir), tell=NoteWriter(1).write).run())
"""

OBEDIENT = "import signal, sys, time; signal.signal(signal.SIGQUIT, lambda *_: sys.exit(0)); {}; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGQUIT, signal.SIG_IGN); {}; time.sleep(60)"
READY = "import os, pathlib; pathlib.Path({!r}, str(os.getpid())).touch()"


class Running:
    """A supervisor in a process of its own; its workers leave a file named by their pid when ready."""

    def __init__(
        self,
        folder: Path,
        codes: dict[str, str],
        *,
        run: str = RUN,
        before: Callable[[], object] | None = None,
        **policy: float,
    ) -> None:
        self.folder = folder
        self.pids_folder = folder / "pids"
        self.pids_folder.mkdir()
        ready = READY.format(str(self.pids_folder))
        specs = [(name, [sys.executable, "-c", code.format(ready)]) for name, code in codes.items()]
        self.log = folder / "supervisor.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", run, json.dumps([specs, {"stop_seconds": 10, **policy}, str(folder)])],
                stdout=(folder / "notes").open("wb"),
                stderr=output,
                preexec_fn=before,
            )

    def workers(self, count: int) -> list[int]:
        """Pids of the first `count` workers that got ready."""
        assert eventually(lambda: len(list(self.pids_folder.iterdir())) >= count), self.said()
        by_age = sorted(self.pids_folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [int(file.name) for file in by_age]

    def said(self) -> str:
        return self.log.read_text()

    def notes(self) -> list[Note]:
        """What it has told the process that started it."""
        return [msgspec.json.decode(line, type=Note) for line in (self.folder / "notes").read_bytes().splitlines()]

    def end(self, within_seconds: float = 10) -> int:
        return self.process.wait(within_seconds)


@pytest.fixture
def start(tmp_path: Path):
    started: list[Running] = []

    def run(codes: dict[str, str], **policy: Any) -> Running:
        started.append(Running(tmp_path, codes, **policy))
        return started[-1]

    yield run
    for running in started:
        running.process.kill()
        running.process.wait()


Start = Callable[..., Running]


def eventually(condition: Callable[[], bool], within_seconds: float = 10) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_delays_double_up_to_a_minute() -> None:
    policy = Policy(stop_seconds=1)
    assert [policy.delay_seconds(deaths) for deaths in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert policy.delay_seconds(10_000) == 60


def test_a_killed_worker_is_started_again(start: Start) -> None:
    running = start({"embed-gpu0": OBEDIENT}, first_delay_seconds=0.1)
    (first,) = running.workers(1)
    os.kill(first, signal.SIGKILL)
    assert running.workers(2)[1] != first
    assert "embed-gpu0 was killed by SIGKILL: starting again in 0.1 s" in running.said()


def test_repeated_deaths_wait_longer_each_time(start: Start) -> None:
    running = start({"embed-gpu0": "import sys; {}; sys.exit(1)"}, first_delay_seconds=0.05)
    running.workers(4)
    waits = [line.rsplit(" in ", 1)[1] for line in running.said().splitlines() if "starting again in" in line]
    assert waits[:3] == ["0.05 s", "0.1 s", "0.2 s"]


def test_a_healthy_life_resets_the_delay(start: Start) -> None:
    code = "import sys, time; {}; time.sleep(0.2); sys.exit(1)"
    running = start({"embed-gpu0": code}, first_delay_seconds=0.05, healthy_seconds=0.1)
    running.workers(4)
    waits = {line.rsplit(" in ", 1)[1] for line in running.said().splitlines() if "starting again in" in line}
    assert waits == {"0.05 s"}


@pytest.mark.parametrize("code", [2, 3])
def test_a_permanent_error_stops_everything_with_its_code(start: Start, code: int) -> None:
    running = start({"coordinate-0": OBEDIENT, "embed-gpu0": f"import sys, time; time.sleep(0.5); sys.exit({code})"})
    (other,) = running.workers(1)
    assert running.end() == code
    assert is_gone(other)
    assert running.said().count("embed-gpu0 started") == 1


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0), (signal.SIGUSR1, 0)]
)
def test_workers_are_asked_to_stop(start: Start, number: int, code: int) -> None:
    running = start({"embed-gpu0": OBEDIENT, "coordinate-0": OBEDIENT})
    pids = running.workers(2)
    running.process.send_signal(number)
    assert running.end() == code
    assert all(map(is_gone, pids))
    assert "killing" not in running.said()


def test_a_signal_that_another_thread_receives_stops_the_workers(tmp_path: Path) -> None:
    # numpy's threads exist before the supervisor blocks signals, so they may receive one.
    thread = """
import signal, threading, time
def receive():
    while not Path(run_dir, "now").exists():
        time.sleep(0.02)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
"""
    code = RUN.replace("import os\n", f"import os\n{thread}\nthreading.Thread(target=receive, daemon=True).start()\n")
    running = Running(tmp_path, {"embed-gpu0": OBEDIENT}, run=code)
    try:
        (pid,) = running.workers(1)
        (tmp_path / "now").touch()
        assert running.end() == 0
        assert is_gone(pid)
        assert "stopping 1 worker" in running.said()
    finally:
        running.process.kill()
        running.process.wait()


def test_one_that_does_not_stop_is_killed(start: Start) -> None:
    running = start({"embed-gpu0": DEAF}, stop_seconds=0.5)
    (pid,) = running.workers(1)
    began = time.monotonic()
    running.process.terminate()
    assert running.end() == 0
    assert 0.4 < time.monotonic() - began < 5
    assert is_gone(pid)
    assert "killing" in running.said()


def test_a_second_interrupt_kills_at_once(start: Start) -> None:
    running = start({"embed-gpu0": DEAF}, stop_seconds=60)
    (pid,) = running.workers(1)
    running.process.send_signal(signal.SIGINT)
    assert eventually(lambda: "stopping 1 worker" in running.said())
    running.process.send_signal(signal.SIGINT)
    assert running.end() == 130
    assert is_gone(pid)


@pytest.mark.parametrize("code", [OBEDIENT, DEAF])
def test_workers_that_hold_nothing_are_ended_at_once(start: Start, code: str) -> None:
    running = start({"embed-gpu0": code, "coordinate-0": code}, stop_seconds=60)
    pids = running.workers(2)
    running.process.send_signal(END_SIGNAL)
    assert running.end() == 0
    assert all(map(is_gone, pids))
    assert "stopping" not in running.said()


def test_workers_that_are_stopping_can_be_ended_at_once(start: Start) -> None:
    running = start({"embed-gpu0": DEAF}, stop_seconds=60)
    (pid,) = running.workers(1)
    running.process.send_signal(signal.SIGINT)
    assert eventually(lambda: "stopping 1 worker" in running.said())
    running.process.send_signal(END_SIGNAL)
    assert running.end() == 130
    assert is_gone(pid)


def test_no_orphan_when_the_supervisor_is_killed(start: Start) -> None:
    running = start({"embed-gpu0": DEAF, "coordinate-0": OBEDIENT})
    pids = running.workers(2)
    running.process.kill()
    assert eventually(lambda: all(map(is_gone, pids)))


def test_a_dead_worker_leaves_no_pool_child(start: Start) -> None:
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {!r}]); time.sleep(60)"
    child = "{}; import time; time.sleep(60)"
    running = start({"embed-gpu0": code.replace("{!r}", '"' + child + '"')}, first_delay_seconds=30)
    (child_pid,) = running.workers(1)
    os.kill(psutil.Process(child_pid).ppid(), signal.SIGKILL)
    assert eventually(lambda: is_gone(child_pid))


def test_a_silent_worker_is_killed_and_started_again(start: Start, tmp_path: Path) -> None:
    write_heartbeat(heartbeat_file(tmp_path, "embed-gpu0"), Phase.CONSUMING)
    then = time.time() - 100
    os.utime(heartbeat_file(tmp_path, "embed-gpu0"), (then, then))
    running = start({"embed-gpu0": OBEDIENT}, silent_seconds=0.1, first_delay_seconds=0.05)
    running.workers(2)
    assert re.search(r"embed-gpu0 has consumed nothing for 10\d s: killing it", running.said())


TELL = "from virnucpro_tasks.worker_notes import *; import os, signal, sys, time; "
TELL += (
    "tell = NoteWriter(int(sys.argv[-1])).write; note = lambda kind, **more: tell(Note('embed-gpu0', kind, **more)); "
)


def test_a_worker_that_is_killed_while_it_loads_is_given_up_with_the_cause(start: Start) -> None:
    code = "import os, signal; {}; os.kill(os.getpid(), signal.SIGKILL)"
    running = start({"coordinate-0": OBEDIENT, "embed-gpu0": code}, first_delay_seconds=0.01, most_loading_deaths=3)
    assert running.end() == 4
    given_up = running.notes()[-1]
    assert given_up.kind is NoteKind.GIVEN_UP and given_up.worker == "embed-gpu0"
    assert "was killed by SIGKILL (" in given_up.text and "3 times in a row before it was ready" in given_up.text
    assert "memory" in given_up.hint
    assert [note.kind for note in running.notes()].count(NoteKind.DIED) == 2


def test_the_error_that_a_worker_tells_is_the_cause(start: Start) -> None:
    code = TELL + "{}; note(NoteKind.FAILED, text='MemoryError: no room'); sys.exit(1)"
    running = start({"embed-gpu0": code}, first_delay_seconds=0.01, most_loading_deaths=2)
    assert running.end() == 4
    assert "ended with status 1 (memory was refused: MemoryError: no room)" in running.notes()[-1].text


def test_a_computing_process_that_dies_while_it_loads_counts_with_its_own_signal(start: Start) -> None:
    code = TELL + "{}; note(NoteKind.LOST, status=-int(signal.SIGILL)); sys.exit(1)"
    running = start({"embed-gpu0": code}, first_delay_seconds=0.01, most_loading_deaths=3)
    assert running.end() == 4
    assert "lost its computing process, which was killed by SIGILL (" in running.notes()[-1].text


def test_the_hang_for_which_a_computing_process_is_killed_is_the_cause_of_that_death_alone(start: Start) -> None:
    code = TELL + (
        "{}; note(NoteKind.READY); note(NoteKind.WORKING); note(NoteKind.HUNG, text='no progress for 60 s job=j'); "
        "note(NoteKind.LOST, status=-9); note(NoteKind.READY); note(NoteKind.LOST, status=-9); time.sleep(60)"
    )
    running = start({"embed-gpu0": code})
    assert eventually(lambda: [note.kind for note in running.notes()].count(NoteKind.DIED) == 2)
    first, second = (note for note in running.notes() if note.kind is NoteKind.DIED)
    assert "which was killed by SIGKILL (no progress for 60 s job=j); it gets another" in first.text
    assert "device or the store" in first.hint and "memory" in second.hint and "no progress" not in second.text


def test_computing_processes_that_die_idle_count_although_the_worker_lives(start: Start) -> None:
    code = TELL + "{}; [(note(NoteKind.READY), note(NoteKind.LOST, status=-9)) for _ in range(4)]; time.sleep(60)"
    running = start({"embed-gpu0": code}, most_idle_deaths=4, stop_seconds=0.1)
    assert running.end() == 4
    assert "4 times in a row while it had nothing to compute" in running.notes()[-1].text


def test_computing_processes_that_die_of_their_task_are_left_to_the_isolation_of_records(start: Start) -> None:
    code = TELL + (
        "{}; [(note(NoteKind.READY), note(NoteKind.WORKING), note(NoteKind.LOST, status=-9)) for _ in range(40)]; "
        "note(NoteKind.READY); time.sleep(60)"
    )
    running = start({"embed-gpu0": code}, most_loading_deaths=3, most_idle_deaths=6, most_deaths=12)
    assert eventually(lambda: [note.kind for note in running.notes()].count(NoteKind.DIED) == 40)
    assert running.notes()[-1].kind is NoteKind.READY
    assert running.process.poll() is None


def test_a_finished_task_makes_up_for_deaths(start: Start) -> None:
    code = TELL + "{}; note(NoteKind.READY); note(NoteKind.WORKING); note(NoteKind.WORKED); sys.exit(1)"
    running = start({"embed-gpu0": code}, first_delay_seconds=0.01, longest_delay_seconds=0.01, most_idle_deaths=2)
    running.workers(4)
    assert running.process.poll() is None


def test_a_program_that_is_gone_is_told(tmp_path: Path) -> None:
    code = RUN.replace("tuple(command)", "('/no/such/python',)")
    running = Running(tmp_path, {"embed-gpu0": ""}, run=code, first_delay_seconds=0.01, most_loading_deaths=2)
    assert running.end() == 4
    assert "embed-gpu0 cannot be started: No such file or directory (" in running.notes()[-1].text


@pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGINT])
def test_signals_that_were_ignored_at_its_start_stay_so(tmp_path: Path, ignored: signal.Signals) -> None:
    running = Running(tmp_path, {"embed-gpu0": OBEDIENT}, before=lambda: signal.signal(ignored, signal.SIG_IGN))
    running.workers(1)
    running.process.send_signal(ignored)
    running.process.terminate()
    assert running.end() == 0
    assert "again: killing" not in running.said()


def test_a_signal_that_comes_while_it_ends_changes_nothing(tmp_path: Path) -> None:
    say = "say=lambda line: line == 'embed-gpu0 stopped' and os.kill(os.getpid(), 1)"
    running = Running(tmp_path, {"embed-gpu0": OBEDIENT}, run=RUN.replace("tell=", f"{say}, tell="))
    running.workers(1)
    running.process.terminate()
    assert running.end() == 0

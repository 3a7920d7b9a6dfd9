"""The simulated hosts of a drill: one supervisor each, with its worker processes. Linux only (/proc)."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from virnucpro_tasks.chaos.other_build import make_other_build, other_build_command
from virnucpro_tasks.local_workers import WORKER_MODULE
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.isolation import child_environment, isolated_command
from virnucpro_tasks.system.processes import die_with_parent

STOP_SECONDS = 20.0


class Hosts:
    """Context manager that runs `wanted` hosts with one CPU worker each, and one with only a coordinator."""

    def __init__(self, settings: Settings, wanted: int, log: Path) -> None:
        self._settings = settings
        self._wanted = wanted
        self._log = log
        self._count = 0
        self._workers: list[subprocess.Popen[bytes]] = []
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._coordinator: subprocess.Popen[bytes] | None = None
        self._other_build: Path | None = None

    def __enter__(self) -> Self:
        self._coordinator = self._start("none", coordinators=1)
        for _ in range(self._wanted):
            self.join()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._all():
            # A supervisor stopped by SIGSTOP ends only by SIGKILL; its children die with it.
            process.kill()
        for process in self._all():
            process.wait(STOP_SECONDS)

    @property
    def working(self) -> int:
        """The number of hosts with a worker, without those that are about to leave."""
        return len(self._workers)

    def join(self) -> int:
        """Start one more host; returns the process id of its supervisor."""
        process = self._start("cpu", coordinators=0)
        self._workers.append(process)
        return process.pid

    def join_with_other_build(self) -> Callable[[], None]:
        """Start a host of another build, with a coordinator too; returns what asks it to stop (SIGTERM)."""
        if self._other_build is None:
            self._other_build = make_other_build(self._settings.store.parent / "other-build")
        process = self._start("cpu", coordinators=1, other_build=self._other_build)
        self._leaving.append(process)
        return process.terminate

    def leave(self, supervisor: int) -> None:
        """Ask a host to stop (SIGTERM), without waiting for it."""
        process = self._taken(supervisor)
        process.send_signal(signal.SIGTERM)
        self._leaving.append(process)

    def lose(self, supervisor: int) -> None:
        """Kill a host with all its processes, as when its power fails."""
        process = self._taken(supervisor)
        process.kill()
        process.wait()

    def supervisors(self) -> list[int]:
        """Return the process ids of the supervisors of hosts with a worker, oldest first."""
        return [process.pid for process in self._workers]

    def workers(self) -> list[int]:
        """Return the process ids of the embedding workers."""
        return [worker for supervisor in self.supervisors() for worker in children(supervisor)]

    def computing(self) -> list[int]:
        """Return the process ids of the workers' children, which compute."""
        return [child for worker in self.workers() for child in children(worker)]

    def coordinators(self) -> list[int]:
        """Return the process ids of the coordinators."""
        return children(self._coordinator.pid) if self._coordinator else []

    def _taken(self, supervisor: int) -> subprocess.Popen[bytes]:
        process = next(process for process in self._workers if process.pid == supervisor)
        self._workers.remove(process)
        return process

    def _all(self) -> list[subprocess.Popen[bytes]]:
        return [*self._workers, *self._leaving, *([self._coordinator] if self._coordinator else [])]

    def _start(self, devices: str, *, coordinators: int, other_build: Path | None = None) -> subprocess.Popen[bytes]:
        self._count += 1
        flags = ["--devices", devices, "--coordinators", str(coordinators), "--name", f"drill{self._count}"]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                isolated_command(WORKER_MODULE, *flags)
                if other_build is None
                else other_build_command(other_build, WORKER_MODULE, *flags),
                env=child_environment(self._settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )


def children(pid: int) -> list[int]:
    """Return the process ids of the children of a process; none if it has ended."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal to a process; returns False if it has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False

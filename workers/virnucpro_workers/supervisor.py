"""Keeps worker processes running, and stops them in bounded time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.processes import spawn
from virnucpro_workers.health import heartbeat_file, read_heartbeat

PERMANENT_EXITS = frozenset({ExitCode.USAGE, ExitCode.BAD_INPUT})
"""Exit codes for a wrong setting or a missing bundle: starting the worker again cannot help."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
AWAITED_SIGNALS = frozenset({*STOP_SIGNALS, signal.SIGCHLD})
LONGEST_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """Name, command line and environment of one worker process."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Policy:
    """When a dead or silent worker is started again, and when a stopping one is killed.

    A dead worker is started again after `first_delay_seconds`, doubled at each further death up to
    `longest_delay_seconds`; after a life of `healthy_seconds` the delay is the first one again. Stopping workers have
    `stop_seconds` before SIGKILL. A consuming worker whose heartbeat is older than `silent_seconds` is killed and
    started again.
    """

    stop_seconds: float
    first_delay_seconds: float = 1.0
    longest_delay_seconds: float = 60.0
    healthy_seconds: float = 60.0
    silent_seconds: float = 300.0

    def delay_seconds(self, deaths: int) -> float:
        """Return the delay after this many deaths in a row (1 or more)."""
        return min(self.longest_delay_seconds, self.first_delay_seconds * 2.0 ** min(deaths - 1, 30))


@dataclass(slots=True)
class _Worker:
    spec: WorkerSpec
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    deaths: int = 0


def _to_stderr(line: str) -> None:
    print(f"virnucpro worker: {line}", file=sys.stderr, flush=True)


@dataclass(slots=True)
class Supervisor:
    """Runs the workers of one host until a signal says stop; one line per event goes to `say`.

    On SIGTERM, SIGINT, SIGQUIT or SIGHUP each worker gets SIGQUIT: it finishes its shard if that takes less than the
    soft shutdown time, and requeues it otherwise. On a second signal, or after `policy.stop_seconds`, all get SIGKILL;
    their shards start elsewhere when the leases lapse. Workers die with this process. Linux only (sigtimedwait).
    """

    specs: Sequence[WorkerSpec]
    policy: Policy
    run_dir: Path | None = None
    say: Callable[[str], None] = _to_stderr
    _workers: list[_Worker] = field(default_factory=list)
    _exit_code: int = ExitCode.OK
    _kill_at: float | None = None

    def run(self) -> int:
        """Start, watch, restart; returns the exit code: 0 after SIGTERM, 130 after Ctrl-C, or a worker's own."""
        self._workers = [_Worker(spec) for spec in self.specs]
        # Blocked signals stay pending until they are waited for, so none is lost between two waits.
        handlers = {number: signal.signal(number, _make_pending) for number in AWAITED_SIGNALS}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED_SIGNALS)
        received: int | None = None
        try:
            while True:
                wait_seconds = self._advance(received)
                if self._finished():
                    break
                received = _wait_for_signal(wait_seconds)
        finally:
            self._kill_all()
            while _wait_for_signal(0) is not None:
                pass
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return self._exit_code

    def _finished(self) -> bool:
        return self._kill_at is not None and all(worker.process is None for worker in self._workers)

    def _advance(self, received: int | None) -> float:
        """Reap, start and check workers, and obey a received signal; returns the seconds until the next round."""
        for worker in self._workers:
            self._reap(worker)
        if received is not None and received != signal.SIGCHLD:
            self._obey(received)
        now = time.monotonic()
        if self._kill_at is not None:
            if now >= self._kill_at and any(worker.process for worker in self._workers):
                self.say(f"not stopped after {self.policy.stop_seconds:.0f} s: killing")
                self._kill_all()
                return 0
            return max(0.0, min(LONGEST_WAIT_SECONDS, self._kill_at - now))
        for worker in self._workers:
            if worker.process is None and now >= worker.start_at:
                self._start(worker)
            elif worker.process is not None:
                self._check_heartbeat(worker, now)
        due = [worker.start_at - now for worker in self._workers if worker.process is None]
        return max(0.0, min([LONGEST_WAIT_SECONDS, *due]))

    def _start(self, worker: _Worker) -> None:
        worker.process = spawn(worker.spec.command, environment=worker.spec.environment)
        worker.started_at = time.monotonic()
        self.say(f"{worker.spec.name} started, pid {worker.process.pid}")

    def _reap(self, worker: _Worker) -> None:
        if worker.process is None or worker.process.poll() is None:
            return
        code = worker.process.returncode
        _kill_group(worker.process)  # a pool child may be left
        worker.process = None
        if self._kill_at is not None:
            self.say(f"{worker.spec.name} stopped")
            return
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        if code in PERMANENT_EXITS:
            self.say(f"{worker.spec.name} {how}: starting it again cannot help, stopping")
            self._stop(code)
            return
        lived_seconds = time.monotonic() - worker.started_at
        worker.deaths = 1 if lived_seconds >= self.policy.healthy_seconds else worker.deaths + 1
        delay_seconds = self.policy.delay_seconds(worker.deaths)
        worker.start_at = time.monotonic() + delay_seconds
        self.say(f"{worker.spec.name} {how}: starting again in {delay_seconds:g} s")

    def _obey(self, number: int) -> None:
        if self._kill_at is None:
            self._stop(ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.OK)
        else:
            self.say(f"{signal.Signals(number).name} again: killing")
            self._kill_all()

    def _stop(self, exit_code: int) -> None:
        if self._kill_at is not None:
            return
        self._exit_code = exit_code
        self._kill_at = time.monotonic() + self.policy.stop_seconds
        running = [worker for worker in self._workers if worker.process is not None]
        if running:
            self.say(f"stopping {len(running)} workers, at most {self.policy.stop_seconds:.0f} s; again to kill them")
        for worker in running:
            assert worker.process is not None
            # To the parent only, which requeues the shard of its pool child.
            worker.process.send_signal(signal.SIGQUIT)

    def _kill_all(self) -> None:
        for worker in self._workers:
            if worker.process is not None:
                _kill_group(worker.process)
                worker.process.wait()

    def _check_heartbeat(self, worker: _Worker, now: float) -> None:
        # A new process has the heartbeat file of its predecessor until it writes its own.
        if self.run_dir is None or now - worker.started_at < self.policy.silent_seconds:
            return
        try:
            heartbeat = read_heartbeat(heartbeat_file(self.run_dir, worker.spec.name))
        except (FileNotFoundError, ValueError):
            return
        if not heartbeat.is_alive(max_age_seconds=self.policy.silent_seconds):
            self.say(f"{worker.spec.name} has consumed nothing for {heartbeat.age_seconds:.0f} s: killing it")
            assert worker.process is not None
            _kill_group(worker.process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _make_pending(number: int, frame: FrameType | None) -> None:
    """Make a signal that another thread received (numpy has some) pending for the main thread, which waits for it."""
    signal.raise_signal(number)


def _wait_for_signal(seconds: float) -> int | None:
    """Wait for one of AWAITED_SIGNALS, at most so long."""
    received = signal.sigtimedwait(AWAITED_SIGNALS, seconds)
    return None if received is None else received.si_signo

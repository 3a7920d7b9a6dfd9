"""Keeps worker processes running, and stops them in bounded time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from virnucpro_tasks.errors import ExitCode, counted
from virnucpro_tasks.system.causes import Cause, cause_of_status, cause_of_words
from virnucpro_tasks.system.host import oom_kills
from virnucpro_tasks.system.processes import exit_text, spawn
from virnucpro_tasks.worker_notes import END_SIGNAL, Note, NoteKind, NoteReader, pipe
from virnucpro_workers.deaths import Deaths, Policy
from virnucpro_workers.health import heartbeat_file, read_heartbeat
from virnucpro_workers.say import Say

PERMANENT_EXITS = frozenset({ExitCode.USAGE, ExitCode.BAD_INPUT})
"""Exit codes for a wrong setting or a missing bundle: starting the worker again cannot help."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
AWAITED_SIGNALS = frozenset({*STOP_SIGNALS, END_SIGNAL, signal.SIGCHLD})
LONGEST_WAIT_SECONDS = 1.0

HANG_HINT = "did somebody stop it, or do its device or the store not answer?"


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """Name, command line and environment of one worker process."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]


@dataclass(slots=True)
class _Worker:
    spec: WorkerSpec
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    deaths: Deaths = field(default_factory=Deaths)
    ready_at: float | None = None
    is_working: bool = False
    lost: int | None = None
    """Return code of its last computing process that died."""
    words: str = ""
    """The error that it said it ends with."""
    hung: str = ""
    """Why its computing process is about to be killed."""


@dataclass(slots=True)
class Supervisor:
    """Runs the workers of one host until a signal says stop; one line per event goes to `say`, and a note to `tell`.

    On SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 or SIGUSR2 each worker gets SIGQUIT: it finishes its shard if that
    takes less than the soft shutdown time, and requeues it otherwise. On a second signal, or after
    `policy.stop_seconds`, all get SIGKILL; their shards start elsewhere when the leases lapse. On END_SIGNAL all
    get SIGKILL at once. Workers die with this process. Linux only (sigtimedwait).

    Workers write notes into a pipe, whose number is added to their command line as `--notes-fd`.
    """

    specs: Sequence[WorkerSpec]
    policy: Policy
    run_dir: Path | None = None
    say: Callable[[str], None] = field(default_factory=Say)
    tell: Callable[[Note], None] = field(default=lambda note: None)
    _workers: list[_Worker] = field(default_factory=list)
    _exit_code: int = ExitCode.OK
    _kill_at: float | None = None
    _reader: NoteReader | None = None
    _notes_fd: int | None = None
    _oom_kills: int = 0

    def run(self) -> int:
        """Start, watch, restart; returns the exit code: 0 after SIGTERM, 130 after Ctrl-C, or a worker's own."""
        self._workers = [_Worker(spec) for spec in self.specs]
        self._oom_kills = oom_kills()
        self._reader, self._notes_fd = pipe()
        # nohup ignores SIGHUP, and a shell SIGINT for what runs in the background: that must stay so.
        awaited = frozenset(number for number in AWAITED_SIGNALS if signal.getsignal(number) != signal.SIG_IGN)
        awaited |= {signal.SIGCHLD}
        # Blocked signals stay pending until they are waited for, so none is lost between two waits.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        handlers = {number: signal.signal(number, _make_pending) for number in awaited}
        received: int | None = None
        try:
            while True:
                wait_seconds = self._advance(received)
                if self._finished():
                    break
                received = _wait_for_signal(awaited, wait_seconds)
        finally:
            self._kill_all()
            # The old handlers come back while signals are still blocked: one that is pending must not meet ours, which
            # would make it pending again, nor end this process with a code of its own.
            for number in handlers:
                signal.signal(number, signal.SIG_IGN)
            while _wait_for_signal(awaited, 0) is not None:
                pass
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._reader.close()
            os.close(self._notes_fd)
        return self._exit_code

    def _finished(self) -> bool:
        return self._kill_at is not None and all(worker.process is None for worker in self._workers)

    def _advance(self, received: int | None) -> float:
        """Reap, start and check workers, and obey a received signal; returns the seconds until the next round."""
        self._read_notes()
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
        assert self._notes_fd is not None
        worker.started_at = time.monotonic()
        worker.ready_at, worker.is_working, worker.lost, worker.words, worker.hung = None, False, None, "", ""
        try:
            worker.process = spawn(
                [*worker.spec.command, "--notes-fd", str(self._notes_fd)],
                environment=worker.spec.environment,
                pass_fds=(self._notes_fd,),
            )
        except OSError as error:
            worker.words = f"{type(error).__name__}: {error}"
            status = 127 if isinstance(error, FileNotFoundError) else 126
            self._count_death(worker, status, f"cannot be started: {error.strerror or error}")
            return
        self.say(f"{worker.spec.name} started, pid {worker.process.pid}")
        self.tell(Note(worker.spec.name, NoteKind.STARTED))

    def _read_notes(self) -> None:
        assert self._reader is not None
        by_name = {worker.spec.name: worker for worker in self._workers}
        for note in self._reader.read():
            worker = by_name.get(note.worker)
            if worker is None:
                continue
            self.tell(note)
            if note.kind is NoteKind.READY:
                worker.ready_at = time.monotonic()
                worker.deaths.ready()
            elif note.kind is NoteKind.WORKING:
                worker.is_working = True
            elif note.kind is NoteKind.WORKED:
                worker.is_working = False
                worker.deaths.worked()
            elif note.kind is NoteKind.FAILED:
                worker.words = note.text
            elif note.kind is NoteKind.HUNG:
                worker.hung = note.text
            elif note.kind is NoteKind.LOST and note.status is not None:
                self._lose(worker, note.status)

    def _lose(self, worker: _Worker, status: int) -> None:
        """Count the death of a computing process, which its parent process replaces if it had loaded its models."""
        worker.lost = status
        if worker.ready_at is None or self._kill_at is not None:
            return  # the parent process ends too
        if worker.is_working:
            # What it computed is tried again, and isolated if it was the cause.
            worker.ready_at, worker.is_working = None, False
        else:
            self._count(worker)
        self._tell_death(worker, status, f"lost its computing process, which {exit_text(status)}", "it gets another")

    def _reap(self, worker: _Worker) -> None:
        if worker.process is None or worker.process.poll() is None:
            return
        code = worker.process.returncode
        self._read_notes()  # its last words
        _kill_group(worker.process)  # a pool child may be left
        worker.process = None
        if self._kill_at is not None:
            self.say(f"{worker.spec.name} stopped")
            return
        how = exit_text(code)
        if code in PERMANENT_EXITS:
            self.say(f"{worker.spec.name} {how}: starting it again cannot help, stopping")
            self._stop(code)
            return
        self._count_death(worker, code, how)

    def _count_death(self, worker: _Worker, code: int, how: str) -> None:
        """Start the worker again after a delay, or give up."""
        self._count(worker)
        delay_seconds = self.policy.delay_seconds(worker.deaths.in_a_row)
        worker.start_at = time.monotonic() + delay_seconds
        self.say(f"{worker.spec.name} {how}: starting again in {delay_seconds:g} s")
        if worker.lost is not None:
            code, how = worker.lost, f"lost its computing process, which {exit_text(worker.lost)}"
        self._tell_death(worker, code, how, f"starting again in {delay_seconds:g} s")

    def _count(self, worker: _Worker) -> None:
        now = time.monotonic()
        worker.deaths.died(
            lived_seconds=now - worker.started_at,
            ready_seconds=None if worker.ready_at is None else now - worker.ready_at,
            is_working=worker.is_working,
            policy=self.policy,
        )
        worker.ready_at, worker.is_working = None, False

    def _tell_death(self, worker: _Worker, status: int, how: str, consequence: str) -> None:
        cause = Cause(worker.hung, HANG_HINT) if worker.hung else self._cause(status, worker.words)
        worker.hung = ""
        why = ": ".join(filter(None, [cause.why, worker.words]))
        text = f"{worker.spec.name} {how}{f' ({why})' if why else ''}"
        if reason := worker.deaths.reason_to_give_up(self.policy):
            self.say(f"{text}, {reason}: giving up, stopping")
            self.tell(Note(worker.spec.name, NoteKind.GIVEN_UP, text=f"{text}, {reason}", hint=cause.remedy))
            self._stop(ExitCode.UNREACHABLE)
        else:
            if cause.why:
                self.say(f"{text} ({cause.remedy})")
            self.tell(Note(worker.spec.name, NoteKind.DIED, text=f"{text}; {consequence}", hint=cause.remedy))

    def _cause(self, status: int, words: str) -> Cause:
        kills = oom_kills()
        oom_killed, self._oom_kills = kills > self._oom_kills, kills
        cause = cause_of_words(words)
        return cause if cause.why else cause_of_status(status, oom_killed=oom_killed)

    def _obey(self, number: int) -> None:
        if number == END_SIGNAL:
            self._end()
        elif self._kill_at is None:
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
            self.say(
                f"stopping {counted(len(running), 'worker')}, at most {self.policy.stop_seconds:.0f} s; again to kill"
                " them"
            )
        for worker in running:
            assert worker.process is not None
            # To the parent only, which requeues the shard of its pool child.
            worker.process.send_signal(signal.SIGQUIT)

    def _end(self) -> None:
        """Kill the workers, which hold no part of a job."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self.policy.stop_seconds
        self.say("nothing is left to be handed back: ending all workers")
        self._kill_all()

    def _kill_all(self) -> None:
        running = [worker.process for worker in self._workers if worker.process is not None]
        for process in running:
            _kill_group(process)
        for process in running:
            process.wait()

    def _check_heartbeat(self, worker: _Worker, now: float) -> None:
        # A new process has the heartbeat file of its predecessor until it writes its own.
        if self.run_dir is None or now - worker.started_at < self.policy.silent_seconds:
            return
        try:
            heartbeat = read_heartbeat(heartbeat_file(self.run_dir, worker.spec.name))
        except (OSError, ValueError):
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


def _wait_for_signal(awaited: frozenset[int], seconds: float) -> int | None:
    """Wait for one of the signals `awaited`, at most so long."""
    received = signal.sigtimedwait(awaited, seconds)
    return None if received is None else received.si_signo

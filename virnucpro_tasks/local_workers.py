"""The workers of a one-shot run, under a supervisor process that ends with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from virnucpro_tasks.errors import BackendError, ExitCode, WorkerError, printable
from virnucpro_tasks.settings import REPEAT, Settings
from virnucpro_tasks.system.causes import cause_of_status
from virnucpro_tasks.system.file_operations import make_folder, open_to_append, read_bytes
from virnucpro_tasks.system.host import raise_open_files, require_semaphores
from virnucpro_tasks.system.isolation import child_environment, isolated_command
from virnucpro_tasks.system.log_lines import TEXT
from virnucpro_tasks.system.processes import ends_within, exit_text, spawn
from virnucpro_tasks.system.temporary import TemporaryFolder
from virnucpro_tasks.worker_notes import END_SIGNAL, Note, NoteKind, NoteReader, pipe

WORKER_MODULE = "virnucpro_workers"
STOP_SECONDS = 15.0
"""Time that the supervisor has to stop its workers before it is killed."""

ONE_SHOT_SETTINGS = {
    "VIRNUCPRO_SOFT_SHUTDOWN_SECONDS": "0",
    "VIRNUCPRO_WATCH_SECONDS": "0",
    "VIRNUCPRO_RESUMED_BY": REPEAT,
    "VIRNUCPRO_RETENTION_DAYS": "",
    "VIRNUCPRO_LOG_FORMAT": TEXT,
}
"""The client itself requeues its job if Redis loses it; unfinished jobs of earlier runs are left alone. It reads the
log of its workers."""

STILL_LOADING_SECONDS = (30.0, 120.0, 600.0)
"""A worker that has been loading for so long is mentioned; large models take minutes from a slow disk."""

RUN_FOLDER_PREFIX = "vnp-run-"
"""Beginning of the name of the folder with the heartbeat files in the store, which lives as long as the run does."""

_WORKER_LINE = re.compile(r"virnucpro worker \S+: ")
_SUPERVISOR_LINE = re.compile(r"virnucpro worker: ")
LOG_FILE = "workers.log"


class LocalWorkers:
    """Context manager: starts the supervisor for `devices` on enter, stops it and its workers on exit.

    `auto` chooses `most_devices` devices at most. The output of the workers goes to workers.log in the store.
    """

    def __init__(
        self, settings: Settings, *, devices: str, most_devices: int | None = None, one_job: bool = True
    ) -> None:
        self._settings = settings
        # With only one job, a process for small inputs beside the other coordinator would be one too many.
        self._flags = ["--no-small-lane"] if one_job else []
        if most_devices is not None:
            self._flags += ["--most-devices", str(most_devices)]
        self._devices = devices
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._reader: NoteReader | None = None
        self._run_dir: TemporaryFolder | None = None
        self._last: Note | None = None
        self._loading_since: dict[str, float] = {}
        self._loading_told: dict[str, int] = {}
        self.have_work = True
        """Whether the workers may hold a part of a job; if not, none of them is waited for on exit."""
        self._working: set[str] = set()
        self._log_told = 0

    @property
    def log(self) -> Path:
        return self._settings.store / LOG_FILE

    def __enter__(self) -> Self:
        raise_open_files()
        require_semaphores()
        make_folder(self._settings.store)
        self._run_dir = TemporaryFolder(RUN_FOLDER_PREFIX, parent=self._settings.store.absolute())
        self._reader, notes_fd = pipe()
        try:
            with open_to_append(self.log) as log:
                self._log_start = self._log_told = log.tell()
                self._process = spawn(
                    isolated_command(
                        *(WORKER_MODULE, "--devices", self._devices, *self._flags),
                        *("--one-shot", "--run-dir", str(self._run_dir.path), "--notes-fd", str(notes_fd)),
                    ),
                    environment=child_environment(self._settings) | ONE_SHOT_SETTINGS,
                    output=log,
                    pass_fds=(notes_fd,),
                )
        except BlockingIOError as error:
            raise WorkerError(
                f"the workers cannot be started: {error.strerror}",
                hint="no more processes are allowed: raise ulimit -u, or the limit of the container",
            ) from error
        finally:
            os.close(notes_fd)
        return self

    def news(self) -> Iterator[str]:
        """Yield what has happened to the workers since the last call, a line each, if a person should know it."""
        assert self._reader is not None
        now = time.monotonic()
        for note in self._reader.read():
            if note.kind in (NoteKind.GIVEN_UP, NoteKind.FAILED):
                self._last = note if self._last is None or note.kind is NoteKind.GIVEN_UP else self._last
            if note.kind is NoteKind.DEVICES:
                yield printable(note.text)
            elif note.kind in (NoteKind.STARTED, NoteKind.LOST):
                self._loading_since[note.worker] = now
            elif note.kind in (NoteKind.READY, NoteKind.DIED, NoteKind.GIVEN_UP):
                self._loading_since.pop(note.worker, None)
                self._loading_told.pop(note.worker, None)
            if note.kind is NoteKind.WORKING:
                self._working.add(note.worker)
            elif note.kind is not NoteKind.READY:
                self._working.discard(note.worker)
            if note.kind is NoteKind.DIED:
                self._last = None
                yield f"warning: {printable(note.text)}{f' ({note.hint})' if note.hint else ''}"
        for worker, since in self._loading_since.items():
            told = self._loading_told.get(worker, 0)
            if told < len(STILL_LOADING_SECONDS) and now - since >= STILL_LOADING_SECONDS[told]:
                self._loading_told[worker] = told + 1
                yield f"{worker} has been loading for {now - since:.0f} s"

    def log_lines(self) -> list[str]:
        """The whole lines that the workers have logged since the last call; none if the log cannot be read."""
        try:
            with self.log.open("rb") as log:
                log.seek(self._log_told)
                whole = log.read().rpartition(b"\n")[0]
        except OSError:
            return []
        self._log_told += len(whole) + 1 if whole else 0
        return whole.decode(errors="replace").splitlines()

    def loading_seconds(self) -> float | None:
        """For how long workers have been loading, as of the last `news`; None if one computes, or none loads."""
        if self._working or not self._loading_since:
            return None
        return time.monotonic() - min(self._loading_since.values())

    def check(self) -> None:
        """Raise BackendError with the reason if the supervisor has ended."""
        if self._process is None or self._process.poll() is None:
            return
        code = self._process.returncode
        for _ in self.news():
            pass
        error = self._reason(code)
        if code >= 0:
            error.exit_code = ExitCode(code) if code in set(ExitCode) and code else ExitCode.UNEXPECTED
        raise error

    def _reason(self, code: int) -> BackendError | WorkerError:
        where = f"all of it: {self.log}"
        if code < 0:
            cause = cause_of_status(code)
            why = f", {cause.why}" if cause.why else ""
            return WorkerError(f"the supervisor of the workers {exit_text(code)}{why}", hint=cause.remedy or where)
        if self._last is None:
            return BackendError(f"the workers have stopped: {self._last_words()}", hint=where)
        if self._last.kind is NoteKind.GIVEN_UP:
            what = f"the workers have stopped: {self._last.text}"
            return WorkerError(what, hint="; ".join(filter(None, [self._last.hint, where])))
        return BackendError(f"the workers have stopped: {self._last.worker}: {self._last.text}", hint=where)

    def _last_words(self) -> str:
        """Return the last line that a worker, or else the supervisor, printed in this run: why it gave up."""
        try:
            lines = read_bytes(self.log)[self._log_start :].decode(errors="replace").splitlines()
        except OSError as error:
            return f"their log cannot be read: {error}"
        for kind in (_WORKER_LINE, _SUPERVISOR_LINE):
            if said := [line for line in lines if kind.match(line)]:
                return said[-1]
        return lines[-1] if lines else "they said nothing"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        try:
            self._stop(process)
        finally:
            if self._run_dir is not None:
                self._run_dir.remove()
                self._run_dir = None

    def _stop(self, process: subprocess.Popen[bytes] | None) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM if self.have_work else END_SIGNAL)
            if not ends_within(process, STOP_SECONDS):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

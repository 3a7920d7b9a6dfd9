"""The workers of a one-shot run, under a supervisor process that ends with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from virnucpro_tasks.errors import BackendError, ExitCode
from virnucpro_tasks.file_operations import open_to_append
from virnucpro_tasks.isolation import child_environment, isolated_command
from virnucpro_tasks.processes import spawn
from virnucpro_tasks.settings import REPEAT, Settings

WORKER_MODULE = "virnucpro_workers"
STOP_SECONDS = 15.0
"""Time that the supervisor has to stop its workers before it is killed."""

ONE_SHOT_SETTINGS = {
    "VIRNUCPRO_SOFT_SHUTDOWN_SECONDS": "0",
    "VIRNUCPRO_WATCH_SECONDS": "0",
    "VIRNUCPRO_RESUMED_BY": REPEAT,
}
"""The client itself requeues its job if Redis loses it; unfinished jobs of earlier runs are left alone."""

_WORKER_LINE = re.compile(r"virnucpro worker \S+: ")
_SUPERVISOR_LINE = re.compile(r"virnucpro worker: ")
LOG_FILE = "workers.log"


class LocalWorkers:
    """Context manager: starts the supervisor for `devices` on enter, stops it and its workers on exit.

    The output of the workers goes to workers.log in the store.
    """

    def __init__(self, settings: Settings, *, devices: str, one_job: bool = True) -> None:
        self._settings = settings
        # With only one job, a process for small inputs beside the other coordinator would be one too many.
        self._flags = ("--no-small-lane",) if one_job else ()
        self._devices = devices
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def log(self) -> Path:
        return self._settings.store / LOG_FILE

    def __enter__(self) -> Self:
        self._settings.store.mkdir(parents=True, exist_ok=True)
        with open_to_append(self.log) as log:
            self._log_start = log.tell()
            self._process = spawn(
                isolated_command(WORKER_MODULE, "--devices", self._devices, *self._flags),
                environment=child_environment(self._settings) | ONE_SHOT_SETTINGS,
                output=log,
            )
        return self

    def check(self) -> None:
        """Raise BackendError with the reason if the supervisor has ended."""
        if self._process is None or self._process.poll() is None:
            return
        error = BackendError(f"the workers have stopped: {self._last_words()}", hint=f"all of them: {self.log}")
        code = self._process.returncode
        error.exit_code = ExitCode(code) if code in set(ExitCode) and code else ExitCode.UNEXPECTED
        raise error

    def _last_words(self) -> str:
        """Return the last line that a worker, or else the supervisor, printed in this run: why it gave up."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        for kind in (_WORKER_LINE, _SUPERVISOR_LINE):
            if said := [line for line in lines if kind.match(line)]:
                return said[-1]
        return lines[-1] if lines else "they said nothing"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

"""Workers of a one-shot run: a supervisor process that ends with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from virnucpro_tasks.errors import BackendError, ExitCode
from virnucpro_tasks.processes import spawn
from virnucpro_tasks.settings import Settings

WORKER_MODULE = "virnucpro_workers"
STOP_SECONDS = 15.0
"""How long the supervisor is given to stop its workers before it is killed."""

OF_ONE_RUN = {"VIRNUCPRO_SOFT_SHUTDOWN_SECONDS": "0", "VIRNUCPRO_WATCH_SECONDS": "0"}
"""The client waits for its job and watches over it; what an earlier run has left in the store is not its business."""

_OF_A_WORKER = re.compile(r"virnucpro worker \S+: ")
_OF_THE_SUPERVISOR = re.compile(r"virnucpro worker: ")
LOG_FILE = "workers.log"


class LocalWorkers:
    """Context manager: starts the supervisor for `devices` on enter, stops it and its workers on exit.

    What the workers print goes to workers.log in the store.
    """

    def __init__(self, settings: Settings, *, devices: str, one_job: bool = True) -> None:
        self._settings = settings
        # A lane for small inputs beside others is one process too many where there is one job.
        self._flags = ("--no-small-lane",) if one_job else ()
        self._devices = devices
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def log(self) -> Path:
        return self._settings.store / LOG_FILE

    def __enter__(self) -> Self:
        self._settings.store.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = spawn(
                [sys.executable, "-m", WORKER_MODULE, "--devices", self._devices, *self._flags],
                environment=os.environ | self._settings.environment() | OF_ONE_RUN,
                output=log,
            )
        return self

    def check(self) -> None:
        """Raise BackendError with the supervisor's last words if it has ended."""
        if self._process is None or self._process.poll() is None:
            return
        error = BackendError(f"the workers have stopped: {self._last_words()}", hint=f"all of them: {self.log}")
        code = self._process.returncode
        error.exit_code = ExitCode(code) if code in set(ExitCode) and code else ExitCode.UNEXPECTED
        raise error

    def _last_words(self) -> str:
        """Why a worker, or else their supervisor, gave up: the last line either printed in this run."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        for kind in (_OF_A_WORKER, _OF_THE_SUPERVISOR):
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

"""State of loading the models, which a pool child shares with its parent: loading, ready, or failed for good."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

from virnucpro_tasks.errors import ExitCode, VirnucproError
from virnucpro_workers.say import Say

_READY = 255
PARENT_SECONDS = 5.0
"""Time that the parent has to stop before a failed child exits and the pool starts another."""


class LoadingState:
    """One byte shared by a parent and the children it forks: 0 loading, 255 ready, else the exit code."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    @property
    def is_ready(self) -> bool:
        return self._shared[0] == _READY

    @property
    def exit_code(self) -> int | None:
        """The exit code of a load that failed for good; None otherwise."""
        return self._shared[0] if self._shared[0] not in (0, _READY) else None

    def begin(self) -> None:
        """Set the state to loading: no child has models. A final failure stays."""
        if self.exit_code is None:
            self._shared[0] = 0

    def run(self, load: Callable[[], object], *, say: Say, tell: Callable[[str], None] = lambda error: None) -> None:
        """In the child: load the models; on an error `say` and `tell` it, ask the parent to stop, and end this process.

        Celery would swallow an exception of its start-up signal and take tasks without models.
        """
        self.begin()
        if self.exit_code is None:
            try:
                load()
                self._shared[0] = _READY
                return
            except VirnucproError as error:
                # Celery turns each line of sys.stderr into a log record.
                say(str(error), level="ERROR", stream=sys.__stderr__)
                tell(str(error))
                self._shared[0] = error.exit_code
            except Exception as error:
                say(traceback.format_exc(), level="ERROR", stream=sys.__stderr__)
                tell(f"{type(error).__name__}: {error}")
                self._shared[0] = ExitCode.UNEXPECTED
        os.kill(os.getppid(), signal.SIGQUIT)
        time.sleep(PARENT_SECONDS)
        os._exit(self._shared[0])

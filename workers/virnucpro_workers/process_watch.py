"""Ends the computing process of a worker if it hangs, and knows for how long it has made no progress."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.system.process_signs import ENDED, ProcessSigns, process_signs
from virnucpro_workers.hang import Hang, HangDetector
from virnucpro_workers.sign_of_life import SignOfLife

log = logging.getLogger(__name__)

LONGEST_POLL_SECONDS = 1.0
POLLS_PER_LIMIT = 10

KILL_SECONDS = 10.0
"""A process that is still there so long after SIGKILL waits in the kernel, and cannot be ended."""


def leave() -> None:
    """End this process at once, without a look at any file system; its supervisor starts it again."""
    os._exit(ExitCode.UNEXPECTED)


class ProcessWatch:
    """Looks at the computing process of this worker, which it kills if it hangs.

    `subject` names the task it is at; `tell` is told of a hang, before the kill. If the process waits for a file system
    or a device, or cannot be killed, the worker leaves with it: its own next look at the store might hang as well, and
    it would renew the lease of the task for ever.
    """

    def __init__(
        self,
        life: SignOfLife,
        detector: HangDetector,
        *,
        subject: Callable[[], str],
        tell: Callable[[str], None],
        leave: Callable[[], None] = leave,
    ) -> None:
        self._life, self._detector = life, detector
        self._subject, self._tell, self._leave = subject, tell, leave
        self._ended: Hang | None = None

    @property
    def quiet_seconds(self) -> float:
        """Time since the last progress of the computing process."""
        return self._detector.quiet_seconds

    def run(self, stopping: Event) -> None:
        """Look until `stopping` is set."""
        while not stopping.wait(min(LONGEST_POLL_SECONDS, self._detector.limit_seconds / POLLS_PER_LIMIT)):
            self.look()

    def look(self) -> None:
        """Look once, and end a process that hangs."""
        life = self._life.read()
        hang = self._detector.look(life, _signs_of_child(life.pid), time.monotonic())
        if hang is None:
            return
        text = " ".join(filter(None, [hang.reason, self._subject()]))
        log.error("computing process %d: %s: it is killed", hang.pid, text)
        self._tell(text)
        self._ended = hang
        with suppress(ProcessLookupError):
            os.kill(hang.pid, signal.SIGKILL)
        if hang.is_in_kernel or not _ends(hang.pid):
            log.critical("computing process %d may not be able to end: this worker ends, and starts again", hang.pid)
            self._leave()

    def hang_of(self, pid: int | None) -> Hang | None:
        """Return the hang for which process `pid` was killed, once; None if it died for another reason."""
        hang = self._ended
        if hang is None or pid not in (None, hang.pid):
            return None
        self._ended = None
        return hang


def _signs_of_child(pid: int) -> ProcessSigns | None:
    """The signs of process `pid` if it is a child of this one."""
    signs = process_signs(pid) if pid else None
    return signs if signs is not None and signs.parent == os.getpid() else None


def _ends(pid: int) -> bool:
    """Whether a killed child ends within KILL_SECONDS."""
    until = time.monotonic() + KILL_SECONDS
    while (signs := _signs_of_child(pid)) is not None and signs.state not in ENDED:
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
    return True

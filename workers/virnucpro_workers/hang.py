"""Decides from signs of life, and the time, whether a computing process hangs."""

from __future__ import annotations

from dataclasses import dataclass

from virnucpro_tasks.system.process_signs import ENDED, STOPPED, WAITING_IN_KERNEL, ProcessSigns
from virnucpro_workers.sign_of_life import Activity, Life

STOPPED_SECONDS = 60.0
"""A stopped process (SIGSTOP) makes no progress, however slow its work is, so it is given less time than the limit."""

LEAST_LOAD = 0.05
"""Processor time over time that counts as progress: threads that only wait use less."""

LONGEST_STEP_SECONDS = 5.0
"""Most that one look adds to the time without progress: a host that was suspended has not computed meanwhile."""


@dataclass(frozen=True, slots=True)
class Hang:
    """A computing process that made no progress for `limit_seconds` and is in `state`, a letter of the kernel."""

    pid: int
    limit_seconds: float
    state: str

    @property
    def is_stopped(self) -> bool:
        """Whether a signal has stopped it, which no record can do."""
        return self.state == STOPPED

    @property
    def is_in_kernel(self) -> bool:
        """Whether it waits for a file system or a device of this host, and may not even end."""
        return self.state == WAITING_IN_KERNEL

    @property
    def reason(self) -> str:
        """Return the reason in words, for the log and for a quarantine."""
        why = ""
        if self.is_stopped:
            why = ": it was stopped (SIGSTOP)"
        elif self.is_in_kernel:
            why = ": it waits for a file system or a device"
        return f"no progress for {self.limit_seconds:g} s{why}"


@dataclass(slots=True)
class HangDetector:
    """Adds up the time without progress.

    Progress is a pack or a change of activity; and, except while a GPU computes (`packs_only`), what the process reads,
    writes, or uses of a processor. A GPU's driver that hangs may keep a processor busy.
    """

    limit_seconds: float
    packs_only: bool
    quiet_seconds: float = 0.0
    """Time since the last progress."""

    _stopped_seconds: float = 0.0
    _seen_at: float | None = None
    _life: Life | None = None
    _signs: ProcessSigns | None = None
    """The signs of the process at its last progress."""

    def look(self, life: Life, signs: ProcessSigns | None, now: float) -> Hang | None:
        """Take in what is seen at `now` (seconds, monotonic); returns the hang if the limit is passed."""
        step = 0.0 if self._seen_at is None else min(now - self._seen_at, LONGEST_STEP_SECONDS)
        self._seen_at = now
        if signs is None or signs.state in ENDED or life.activity is Activity.LOADING:
            self._progress(None, None)
            return None
        self._stopped_seconds = self._stopped_seconds + step if signs.state == STOPPED else 0.0
        self.quiet_seconds += step
        if self._has_progress(life, signs):
            self._progress(life, signs)
        passed = [
            limit
            for limit, seconds in ((STOPPED_SECONDS, self._stopped_seconds), (self.limit_seconds, self.quiet_seconds))
            if seconds >= limit
        ]
        if not passed:
            return None
        self._progress(None, None)
        return Hang(life.pid, passed[0], signs.state)

    def _progress(self, life: Life | None, signs: ProcessSigns | None) -> None:
        self._life, self._signs, self.quiet_seconds = life, signs, 0.0
        if life is None:
            self._stopped_seconds = 0.0

    def _has_progress(self, life: Life, signs: ProcessSigns) -> bool:
        if life != self._life or self._signs is None:
            return True
        if signs.state == STOPPED:
            return False
        if life.activity is Activity.IDLE:
            # Redis may be away, for however long.
            return signs.state != WAITING_IN_KERNEL
        if self.packs_only and life.activity is Activity.COMPUTING:
            return False
        used_seconds = signs.processor_seconds - self._signs.processor_seconds
        return signs.transfers != self._signs.transfers or used_seconds > LEAST_LOAD * self.quiet_seconds

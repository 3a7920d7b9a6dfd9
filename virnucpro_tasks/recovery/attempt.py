"""One attempt at a shard, as a context manager: the only writer of the attempts file.

It writes that the attempt began, and at its end exactly one event, into which it translates any exception.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.files import as_store_error, raising_store_errors
from virnucpro_tasks.recovery.events import (
    Began,
    Event,
    Failed,
    FailedOutside,
    HandedBack,
    Passed,
    RecordsAtFault,
    StoreFailed,
    append_event,
    open_attempt,
    read_events,
)


class RecordsAtFaultError(Exception):
    """A computation has come to its end, and the records `culprits` (ordinals) have no usable result."""

    def __init__(self, reason: str, culprits: Collection[int]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.culprits = tuple(culprits)


class Attempt:
    """Records one attempt at `probe` in `file`.

    On entry `began` is written durably; `began_at` is then where its line ends in the file. The block may call
    `hand_back`. On exit `ended` is the event that was written and `error` what was raised. An exception is recorded and
    not raised again, the caller goes on by `ended`; but a StoreError is raised, after it was recorded if the store
    takes that. A BaseException that is no Exception passes unrecorded: the parent process notes how its child ended.
    """

    def __init__(self, file: Path, probe: str, *, limit_seconds: float, device: str = "", message: str = "") -> None:
        self._file = file
        self._probe = probe
        self._began = Began(
            probe=probe, parent=os.getppid(), limit_seconds=limit_seconds, device=device, message=message
        )
        self.began_at = 0
        self.ended: Event | None = None
        self.error: Exception | None = None

    def __enter__(self) -> Attempt:
        with raising_store_errors():
            self.began_at = append_event(self._file, self._began)
        return self

    def hand_back(self) -> None:
        """End the attempt without a fault."""
        self.ended = HandedBack(probe=self._probe)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None and not isinstance(error, Exception):
            return False
        self.error = error
        store_error = as_store_error(error) if error is not None else None
        self.ended = self._event_of(error, store_error)
        if store_error is not None:
            with suppress(OSError):
                append_event(self._file, self.ended)
            raise store_error from error
        with raising_store_errors():
            append_event(self._file, self.ended, durable=not isinstance(self.ended, Passed))
        return error is not None

    def _event_of(self, error: BaseException | None, store_error: StoreError | None) -> Event:
        if store_error is not None:
            return StoreFailed(probe=self._probe, reason=store_error.what)
        if isinstance(error, RecordsAtFaultError):
            return RecordsAtFault(probe=self._probe, reason=error.reason, culprits=error.culprits)
        if error is not None:
            return Failed(probe=self._probe, reason=f"{type(error).__name__}: {error}")
        return self.ended or Passed(probe=self._probe)


def record_failure_outside(file: Path, reason: str) -> None:
    """Record an error before or after an attempt's computation. Raises StoreError."""
    with raising_store_errors():
        append_event(file, FailedOutside(probe="", reason=reason))


def end_lost_attempt(file: Path, reason_of: Callable[[Began], str] | None) -> None:
    """End the attempt of a child of this process that was lost, or handed back if `reason_of` is None.

    `reason_of` gives the reason of the failure from the event with which the attempt began. Does nothing if the child
    has no open attempt. Raises OSError.
    """
    began = open_attempt(read_events(file), host=socket.gethostname(), parent=os.getpid())
    if began is None:
        return
    if reason_of is None:
        append_event(file, HandedBack(probe=began.probe, pid=began.pid))
    else:
        append_event(file, Failed(probe=began.probe, pid=began.pid, reason=reason_of(began)))

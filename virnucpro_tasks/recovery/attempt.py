"""One attempt at a shard, as a context manager: the only writer of a shard's attempts file.

It writes that the attempt began, and at its end exactly one event, into which it translates any exception.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

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
from virnucpro_tasks.system.files import as_store_error, raising_store_errors


class RecordsAtFaultError(Exception):
    """A computation has come to its end, and the records `culprits` (ordinals) have no usable result."""

    def __init__(self, reason: str, culprits: Collection[int]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.culprits = tuple(culprits)


@dataclass(slots=True)
class Attempt:
    """An attempt under way, and afterwards how it ended.

    `began_at` is where its line ends in the attempts file, in bytes; `ended` the event that was written at its end, and
    `error` what the computation raised.
    """

    began_at: int
    ended: Event | None = None
    error: Exception | None = None
    is_handed_back: bool = False

    def hand_back(self) -> None:
        """End the attempt without a fault."""
        self.is_handed_back = True


@contextmanager
def recorded_attempt(
    file: Path, probe: str, *, limit_seconds: float, device: str = "", message: str = ""
) -> Iterator[Attempt]:
    """Record in `file` that an attempt at `probe` begins, durably, and at the end of the block how it ended.

    An exception of the block is recorded and not raised again: the caller goes on by `Attempt.ended`. Raises StoreError
    for a file system that refuses files, after recording it if that is possible. A BaseException that is no Exception
    passes unrecorded: the parent process records how its child ended.
    """
    with raising_store_errors():
        parent = os.getppid()
        began = Began(probe=probe, parent=parent, limit_seconds=limit_seconds, device=device, message=message)
        attempt = Attempt(append_event(file, began))
    try:
        yield attempt
    except Exception as error:
        attempt.error = error
        if (store_error := as_store_error(error)) is not None:
            with suppress(OSError):
                append_event(file, StoreFailed(probe=probe, reason=store_error.what))
            raise store_error from error
        attempt.ended = _failure(probe, error)
    else:
        attempt.ended = HandedBack(probe=probe) if attempt.is_handed_back else Passed(probe=probe)
    with raising_store_errors():
        append_event(file, attempt.ended, durable=not isinstance(attempt.ended, Passed))


def _failure(probe: str, error: Exception) -> Event:
    if isinstance(error, RecordsAtFaultError):
        return RecordsAtFault(probe=probe, reason=error.reason, culprits=error.culprits)
    return Failed(probe=probe, reason=f"{type(error).__name__}: {error}")


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

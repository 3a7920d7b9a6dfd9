"""Signals that end a command as Ctrl-C does: remembered, because the exception that they raise can be lost.

Python runs a signal handler wherever the main thread is. Inside a finalizer or a callback of the garbage collector
nobody receives its exception: Python prints it and goes on.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

ENDING_SIGNALS = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
"""Signals that end a command as Ctrl-C does, so that a one-shot run stops its processes first.

Schedulers announce with the last three that a job is about to be killed or has used its processor time.
"""

_received: list[KeyboardInterrupt] = []
"""The first interruption of this process."""


def catch_ending_signals() -> None:
    """Raise KeyboardInterrupt for ENDING_SIGNALS and Ctrl-C, with the signal's name for the former; the first counts.

    A signal that is ignored at the start, as nohup does with SIGHUP, stays so.
    """
    _received.clear()
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, _interrupt):
            signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _interrupt):
        signal.signal(signal.SIGINT, _interrupt)
    passed_on = sys.unraisablehook

    def unraisable(lost: Any) -> None:
        # `raise_if_interrupted` raises that one again.
        if lost.exc_value not in _received:
            passed_on(lost)

    sys.unraisablehook = unraisable


def raise_if_interrupted() -> None:
    """Raise the interruption that was received, if any: whoever waits in a loop calls this in each round."""
    if _received:
        raise _received[0]


def _interrupt(number: int, frame: FrameType | None) -> None:
    # A terminal that is closed sends SIGHUP twice, and cleaning up must not be cut off; Ctrl-C can be repeated.
    for ending in ENDING_SIGNALS:
        signal.signal(ending, signal.SIG_IGN)
    error = KeyboardInterrupt() if number == signal.SIGINT else KeyboardInterrupt(signal.Signals(number).name)
    _received.append(error)
    raise error

"""Processes that do not outlive the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def tied_to_parent(parent_pid: int | None = None) -> Callable[[], None]:
    """A `preexec_fn`: the new process gets SIGKILL when its parent dies, even by `kill -9`.

    On Linux only (prctl); elsewhere it does nothing, and a killed parent leaves its children behind.
    `parent_pid` is the process to be tied to, the calling one if not given.
    """
    if not sys.platform.startswith("linux"):
        return lambda: None
    # Resolved before the fork: the child may only make the system call.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    expected = os.getpid() if parent_pid is None else parent_pid

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != expected:  # it died before the system call
            os.kill(os.getpid(), signal.SIGKILL)

    return tie


def end_with_parent(parent_pid: int) -> None:
    """The same for the calling process, whose parent is `parent_pid`."""
    tied_to_parent(parent_pid)()

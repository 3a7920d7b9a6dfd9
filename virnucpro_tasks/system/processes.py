"""Child processes that end with their parent, a time limit, and an ordered map over processes."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from virnucpro_tasks.system.isolation import isolated_spawn

PR_SET_PDEATHSIG = 1

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
"""Signals with which processes of this project end each other, besides SIGKILL."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def die_with_parent(parent_pid: int | None = None) -> Callable[[], None]:
    """Return a function that makes the calling process get SIGKILL when its parent dies, even by `kill -9`.

    It is meant as a `preexec_fn`. `parent_pid` is the expected parent, by default the process that calls
    `die_with_parent`. Linux only (prctl); elsewhere the function does nothing.
    """
    if not sys.platform.startswith("linux"):
        return lambda: None
    # Resolved before the fork: the child may only make the system call.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    expected = os.getpid() if parent_pid is None else parent_pid

    def set_death_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != expected:  # the parent died before the system call
            os.kill(os.getpid(), signal.SIGKILL)

    return set_death_signal


def spawn(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    stdin: int | None = subprocess.DEVNULL,
    output: IO[bytes] | None = None,
    errors: IO[bytes] | int | None = subprocess.STDOUT,
    cwd: Path | None = None,
    umask: int = -1,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own that ends with this one; stdout and stderr go to `output`.

    With `errors` stderr goes there, with None where that of this process goes.
    In a session of its own Ctrl-C in the terminal does not reach it, and its process group can be killed as a whole.
    No signal is blocked in it, even if this process blocks some, and none of ENDING is ignored: a shell has what it
    starts with `&` ignore two of them, and such a process would not hear that it is to end. Its current folder is
    `cwd`, or else this process's; if that was removed, the root, because libraries fail without one. `pass_fds` stay
    open in it. Raises OSError.
    """
    set_death_signal = die_with_parent()

    def before_exec() -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        set_death_signal()

    return subprocess.Popen(
        list(map(str, command)),
        env=environment,
        stdin=stdin,
        stdout=output,
        stderr=errors,
        cwd=folder_of_children() if cwd is None else cwd,
        umask=umask,
        pass_fds=pass_fds,
        start_new_session=True,
        preexec_fn=before_exec,
    )


def ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the end of a child process, at most so long; returns whether it has ended.

    It is told at once where the kernel can; `Popen.wait` with a time limit looks twenty times a second.
    """
    if hasattr(os, "pidfd_open") and process.poll() is None:
        with suppress(OSError):  # not on this kernel, or no file may be opened
            handle = os.pidfd_open(process.pid)
            try:
                waiting = select.poll()
                waiting.register(handle, select.POLLIN)
                waiting.poll(seconds * 1000)
            finally:
                os.close(handle)
            return process.poll() is not None
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def folder_of_children() -> Path | None:
    """Return None, for the current folder, or the root if that was removed."""
    try:
        Path.cwd()
    except OSError:
        return Path("/")
    return None


def exit_text(status: int) -> str:
    """Return how a process ended, from its return code: `was killed by SIGKILL` or `ended with status 3`."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End this process by SIGALRM unless the block is left within `seconds`.

    The kernel does it, so a loop in C code that never returns to Python is ended too. One at a time in a process.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def ordered_process_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, processes: int
) -> Iterator[Result]:
    """Apply `function` to `items` on several processes and yield the results in order.

    At most twice `processes` results are in memory. Items and results are pickled; `function` is sent to a process
    once, at its start. The processes end with this one. An error of `function` is raised in its place and no further
    item is started, nor after the iterator is closed. Raises BrokenProcessPool if a process was killed.
    """
    from concurrent.futures import Future, ProcessPoolExecutor

    method = start_method()
    isolated = isolated_spawn if method == "spawn" else nullcontext
    with isolated():
        pool = ProcessPoolExecutor(
            processes,
            mp_context=multiprocessing.get_context(method),
            initializer=_start,
            initargs=(os.getpid(), function),
        )
    with pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                with isolated():  # processes are spawned when work is submitted
                    waiting.append(pool.submit(_call, item))
                if len(waiting) == 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def start_method() -> str:
    """`fork`, which takes no time, where no other thread could hold a lock; otherwise `spawn`, which takes a second."""
    single_threaded = sys.platform.startswith("linux") and threading.active_count() == 1
    return "fork" if single_threaded else "spawn"


_function: Callable[[Any], Any] | None = None
"""In a process of `ordered_process_map`: the function that it applies."""


def _start(parent_pid: int, function: Callable[[Any], Any]) -> None:
    global _function
    die_with_parent(parent_pid)()
    _function = function


def _call(item: Any) -> Any:
    assert _function is not None
    return _function(item)

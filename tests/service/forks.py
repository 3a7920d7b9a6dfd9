"""Processes of this project as forks of one that has imported what they need: an interpreter takes seconds for that.

A fork begins where `python -m MODULE` would, with no module of this project imported. `fork_server.py` makes them.
"""

from __future__ import annotations

import atexit
import ctypes
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
START_MODULE = TESTS.parent / "virnucpro_tasks" / "system" / "start_module.py"

COMMANDS = frozenset({"virnucpro_tasks.cli.main", "virnucpro_tasks.cli.called"})
STARTING = COMMANDS | {"virnucpro_workers"}
"""Modules that start others."""
FORKED = STARTING | {"virnucpro_workers.process"}
"""Modules that are run in a fork; all other programs are started as ever."""

ROOM = 30_000
"""Bytes for the command line of a fork, and for its environment, as other processes see them."""

PR_SET_CHILD_SUBREAPER = 36
SIGNATURE = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
ENDS_WITH_PARENT = ("spawn.<locals>.before_exec", "die_with_parent.<locals>.set_death_signal")
"""What this project does before a program starts: it ends with its parent."""

RESTORED_SIGNALS = {signal.SIGPIPE, signal.SIGXFSZ}
"""`Popen` restores them in its processes."""


class ForkedProcess(subprocess.Popen[Any]):
    """What `Popen` is, but a fork if its command runs one of the modules FORKED.

    A fork gets the environment, folder, files, limits and cores that it is given or would inherit. With a session of
    its own its standard input becomes its terminal, if it is one. `ignored` are the signals that it ignores, by default
    those that this process ignores.
    """

    server: socket.socket | None = None
    """Where forks come from."""

    def __init__(self, args: Sequence[Any], *more: Any, ignored: Sequence[int] | None = None, **options: Any) -> None:
        self._ignored = _ignored_here() if ignored is None else ignored
        super().__init__(args, *more, **options)

    def _execute_child(self, *arguments: Any) -> None:
        given = SIGNATURE.bind(self, *arguments).arguments
        command = given["args"]
        module = None if isinstance(command, str | bytes) else forked_module([os.fsdecode(word) for word in command])
        if module is None:
            super()._execute_child(*arguments)  # type: ignore[misc]
            return
        # Not before: a fork begins with no module of this project.
        from virnucpro_tasks.system.processes import ENDING

        before = given["preexec_fn"]
        assert before is None or before.__qualname__ in ENDS_WITH_PARENT
        files = {0: given["p2cread"], 1: given["c2pwrite"], 2: given["errwrite"]}
        files = {number: number if file == -1 else file for number, file in files.items()}
        files |= {file: file for file in given["pass_fds"]}
        request = {
            "module": module,
            "environment": dict(os.environ if given["env"] is None else given["env"]),
            "folder": _folder_here() if given["cwd"] is None else os.fspath(given["cwd"]),
            "umask": given["umask"],
            "session": given["start_new_session"],
            "ends_with_parent": before is not None,
            "ignored": [number for number in self._ignored if before is None or number not in ENDING],
            "parent": os.getpid(),
            "files": list(files),
        }
        with _adopting():
            self.pid = _forked(request, list(files.values()))
        self._child_created = True
        self._close_pipe_fds(  # type: ignore[attr-defined]
            *(given[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"))
        )


def forked_module(command: Sequence[str]) -> list[str] | None:
    """The module of FORKED that a command line runs, and its arguments."""
    words = list(command[1:])
    if str(START_MODULE) in words:
        del words[: words.index(str(START_MODULE)) + 1]
        while words[:1] == ["--path"]:
            del words[:2]
    elif words[:1] == ["-m"]:
        del words[0]
    return words if words and words[0] in FORKED else None


def _forked(request: dict[str, Any], files: list[int]) -> int:
    """Have a process made, which is a child of this one; returns its number."""
    if ForkedProcess.server is None:
        ForkedProcess.server = _start_server()
    socket.send_fds(ForkedProcess.server, [json.dumps(request).encode()], files)
    return int(ForkedProcess.server.recv(32))


def _start_server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    folders = (TESTS.parent, TESTS.parent / "workers", TESTS)
    command = [
        *(sys.executable, "-I", str(START_MODULE), *(word for folder in folders for word in ("--path", str(folder)))),
        *("service.fork_server", str(theirs.fileno()), " " * ROOM),
    ]
    # One thread: a fork has no other.
    variables = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ROOM": " " * ROOM}
    with theirs:
        nothing = dict.fromkeys(("stdin", "stdout"), subprocess.DEVNULL)
        server = subprocess.Popen(command, env=variables, pass_fds=[theirs.fileno()], **nothing)

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


@contextmanager
def _adopting() -> Iterator[None]:
    """In the block, a process whose parent has ended becomes a child of this one."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _ignored_here() -> list[int]:
    ignored = {number for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN}
    return sorted(ignored - RESTORED_SIGNALS)


def _folder_here() -> str | None:
    with suppress(OSError):
        return str(Path.cwd())
    return None

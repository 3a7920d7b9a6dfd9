"""Makes the processes of `forks.py`: it has imported the packages that they need, and nothing of this project."""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import importlib
import json
import os
import resource
import runpy
import signal
import socket
import sys
import tempfile
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from service.forks import COMMANDS, RESTORED_SIGNALS, STARTING, TESTS, ForkedProcess, forked_module
from unsaved import leave_unsaved

PACKAGES = (
    *("celery.app.trace", "celery.apps.worker", "celery.backends.redis", "celery.canvas", "celery.concurrency.prefork"),
    *("celery.app.control", "celery.app.log", "celery.events", "celery.worker.autoscale", "celery.worker.components"),
    *("celery.worker.consumer", "celery.worker.consumer.delayed_delivery", "celery.worker.strategy"),
    *("billiard.popen_fork", "billiard.sharedctypes", "kombu.matcher", "kombu.transport.redis"),
    *("click", "jinja2", "msgspec", "numpy.ma", "pyarrow.parquet", "safetensors.numpy", "tokenizers", "torch", "yaml"),
    *("concurrent.futures.process", "email.message", "http.client", "multiprocessing.pool", "numpy.typing", "redis"),
    *("getpass", "importlib.resources.readers", "multiprocessing.synchronize", "secrets", "shlex", "sqlite3", "ssl"),
    *("pyarrow.compute", "pyarrow.csv", "termios"),
)
"""What most processes need; a process imports for itself whatever is missing here.

Nothing of this project is among them: faults are put into its modules when these are imported, and Celery keeps tasks.
"""

FAULTS = TESTS / "service" / "faults"

PR_SET_PDEATHSIG = 1
HIGH = 200
"""Numbers of files from here on are taken by nobody."""


def _fork() -> int:
    """`os.fork` without the warning that there are threads: they do nothing but wait for their own child."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def serve(connection: socket.socket) -> dict[str, Any]:
    """Make forks for as long as there is somebody who asks for them. Returns the request, in each fork."""
    while True:
        message, files, _, _ = socket.recv_fds(connection, 1 << 18, 64)
        if not message:
            os._exit(0)
        told, tell = os.pipe()
        between = _fork()
        if between == 0:
            between = os.getpid()
            if pid := _fork():
                os.write(tell, str(pid).encode())
                os._exit(0)
            for file in (told, tell):
                os.close(file)
            connection.close()
            # Then the one who asked is its parent.
            while os.getppid() == between:
                pass
            return json.loads(message) | {"given": files}
        for file in (tell, *files):
            os.close(file)
        pid = int(os.read(told, 32))
        os.close(told)
        os.waitpid(between, 0)
        connection.send(str(pid).encode())


def end_with(parent: int) -> None:
    """Let this process end with its parent."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def arrange(request: dict[str, Any], server: socket.socket | None) -> None:
    """Make this fork what a process is that is started: with its files, signals, limits, session and folder."""
    parent = request["parent"]
    if request["ends_with_parent"]:
        end_with(parent)
    moved = [_moved(file) for file in request["given"]]
    kept = None if server is None else _moved(server.detach())
    for file in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if file not in moved and file != kept:
            with suppress(OSError):
                os.close(file)
    for file, number in zip(moved, request["files"], strict=True):
        os.dup2(file, number)
        os.close(file)
    ForkedProcess.server = None if kept is None else socket.socket(fileno=kept)
    for number in signal.valid_signals() - RESTORED_SIGNALS - {signal.SIGKILL, signal.SIGSTOP}:
        if number in request["ignored"]:
            signal.signal(number, signal.SIG_IGN)
        elif signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for limit in {getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}:
        resource.setrlimit(limit, resource.prlimit(parent, limit))
    os.sched_setaffinity(0, os.sched_getaffinity(parent))
    if request["session"]:
        os.setsid()
        if os.isatty(0):
            # It becomes the terminal of the session.
            os.close(os.open(os.ttyname(0), os.O_RDWR))
    umask = Path(f"/proc/{parent}/status").read_text().partition("Umask:")[2].split()[0]
    os.umask(request["umask"] if request["umask"] >= 0 else int(umask, 8))
    if request["folder"] is not None:
        os.chdir(request["folder"])
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1 if os.isatty(1) else -1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def _moved(file: int) -> int:
    moved = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, HIGH)
    os.close(file)
    return moved


def run(module: list[str], environment: dict[str, str]) -> None:
    """Run a module with its arguments as `python -m` does."""
    os.environ.clear()
    os.environ.update(environment)
    _show([sys.executable, "-m", *module], [f"{name}={value}" for name, value in environment.items()])
    tempfile.tempdir = None
    sys.path.remove(str(TESTS))
    if "TEST_FAULTS" in environment:
        sys.path.append(str(FAULTS))
        importlib.import_module("faults_of_tests")
    sys.argv[:] = module
    try:
        runpy.run_module(module[0], run_name="__main__", alter_sys=True)
        code: Any = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    end(code)


def end(code: Any) -> None:
    """End this process as an interpreter does, but without freeing all that is in memory."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit((code or 0) & 0xFF)


def _show(command: list[str], environment: list[str]) -> None:
    """Show others this command line and environment, in the room that was left for them."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    places = [int(field) for field in fields[45:49]]
    for words, start, end in ((command, *places[:2]), (environment, *places[2:])):
        text = b"".join(os.fsencode(word) + b"\0" for word in words)
        size = end - start
        ctypes.memmove(start, text[: size - 1].ljust(size, b"\0"), size)


def replaced(module: list[str], environment: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """What a command runs in its place by `os.execve`, which is left to another process until then."""
    told, tell = os.pipe()
    own = os.getpid()
    pid = _fork()
    if pid == 0:
        os.close(told)
        end_with(own)

        def tell_and_end(_: str, command: list[str], variables: dict[str, str]) -> None:
            with os.fdopen(tell, "w") as pipe:
                json.dump((forked_module(command), variables), pipe)
            os._exit(0)

        os.execve = tell_and_end  # type: ignore[assignment]
        return module, environment
    os.close(tell)
    with os.fdopen(told) as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not said:
        if status < 0:
            signal.signal(-status, signal.SIG_DFL)
            os.kill(own, -status)
        os._exit(status)
    module, environment = json.loads(said)
    return module, environment


def main() -> None:
    """Import the packages, and serve on the socket whose number is the first argument."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    for name in PACKAGES:
        with suppress(ImportError):
            importlib.import_module(name)
    leave_unsaved()
    gc.collect()
    gc.freeze()
    fork(connection)


def fork(connection: socket.socket) -> None:
    """Serve; be one of the forks."""
    request = serve(connection)
    server = start_server(request["given"]) if request["module"][0] in STARTING else None
    arrange(request, server)
    module, environment = request["module"], request["environment"]
    if module[0] in COMMANDS and module[1:2] == ["worker"]:
        module, environment = replaced(module, environment)
    if server is not None:
        from service import forks

        forks.subprocess.Popen = ForkedProcess  # type: ignore[misc]
    run(module, environment)


def start_server(given: list[int]) -> socket.socket:
    """Start a server of this fork's own: its forks come from a state in which it has done nothing yet.

    It is the child of a thread that does nothing else, so that it is no child of the main thread, as what this process
    starts is: who counts those leaves it out.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    own = os.getpid()

    def keep() -> None:
        if pid := _fork():
            started.set()
            os.waitpid(pid, 0)
            return
        end_with(own)
        ours.close()
        for file in given:
            os.close(file)
        fork(theirs)

    started = threading.Event()
    # Signals are for the main thread.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    threading.Thread(target=keep, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    started.wait()
    theirs.close()
    return ours


if __name__ == "__main__":
    main()

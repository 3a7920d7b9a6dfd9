"""A process whose standard output or error is closed, full, stopped or has no reader."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROTECTED = (
    "import os, sys; from virnucpro_tasks.system.streams import protect_streams; "
    "protect_streams(output_is_product={}); "
)
MESSAGES = "[print('message', number, file=sys.stderr) for number in range(3)]; "
F_SETPIPE_SZ = 1031
BACKGROUND_JOB = 'set -m; stty tostop; "$0" -c "$1" & wait $!; echo ended with $?'


def run_shell(
    code: str, redirections: str, *, is_product: bool = True, **environment: str
) -> subprocess.CompletedProcess:
    """Run Python code, its streams protected, as a shell does with `redirections`."""
    return subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {redirections}', sys.executable, PROTECTED.format(is_product) + code],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
        check=False,
    )


def take_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def pipe_without_reader() -> Iterator[int]:
    ours, theirs = os.pipe()
    os.close(ours)
    yield theirs
    os.close(theirs)


@contextmanager
def full_pipe(*, blocking: bool) -> Iterator[int]:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    fcntl.fcntl(theirs, F_SETPIPE_SZ, 4096)
    os.write(theirs, bytes(4096))
    os.set_blocking(theirs, blocking)
    yield theirs
    os.close(ours)
    os.close(theirs)


@contextmanager
def stopped_terminal() -> Iterator[int]:
    ours, theirs = pty.openpty()
    termios.tcflow(theirs, termios.TCOOFF)
    yield theirs
    os.close(ours)
    os.close(theirs)


@contextmanager
def closed_terminal() -> Iterator[int]:
    ours, theirs = pty.openpty()
    os.close(ours)
    yield theirs
    os.close(theirs)


DISPLAYS = {
    "a pipe without a reader": pipe_without_reader,
    "a full pipe": lambda: full_pipe(blocking=True),
    "a full pipe that never waits": lambda: full_pipe(blocking=False),
    "a stopped terminal": stopped_terminal,
    "a closed terminal": closed_terminal,
}


@pytest.mark.parametrize("display", DISPLAYS)
def test_messages_are_dropped_where_nobody_takes_them(display: str) -> None:
    with DISPLAYS[display]() as stream:
        code = PROTECTED.format(True) + MESSAGES + "print('result')"
        ended = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=stream, timeout=60, check=True
        )
    assert ended.stdout == b"result\n"


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2>&- <&-"])
def test_messages_are_dropped_where_standard_error_cannot_be_written(redirection: str) -> None:
    ended = run_shell(MESSAGES + "print('result')", redirection)
    assert (ended.returncode, ended.stdout) == (0, "result\n")


def test_no_message_lands_in_a_file_that_is_opened_when_all_streams_are_closed(tmp_path: Path) -> None:
    file = tmp_path / "results"
    code = f"handle = open({str(file)!r}, 'w'); handle.write('result'); handle.flush(); "
    code += MESSAGES + "os.system('echo child; echo child >&2'); print('more')"
    run_shell(code, ">&- 2>&- <&-", is_product=False)
    assert file.read_text() == "result"


@pytest.mark.parametrize(
    ("redirection", "reason"), [(">&-", "it is closed"), (">/dev/full", "No space left on device")]
)
def test_a_result_that_cannot_be_written_is_an_error(redirection: str, reason: str) -> None:
    code = "\ntry:\n    print('result')\nexcept Exception as error:\n    sys.exit(f'{type(error).__name__}: {error}')"
    ended = run_shell(code, redirection)
    assert ended.returncode == 1
    assert ended.stderr == f"UnwrittenError: standard output cannot be written: {reason}\n"


def test_standard_output_of_a_worker_is_a_display_too() -> None:
    assert run_shell("print('banner'); sys.exit(5)", ">/dev/full", is_product=False).returncode == 5


def test_a_reader_that_wants_no_more_is_no_error() -> None:
    ended = run_shell("[print(number) for number in range(100_000)]; sys.exit(5)", "| head -1; exit ${PIPESTATUS[0]}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (5, "0\n", "")


def test_a_slow_reader_of_results_gets_all_even_if_the_pipe_never_waits() -> None:
    code = "os.set_blocking(1, False); [print(number) for number in range(100_000)]"
    assert run_shell(code, "| (sleep 0.2; tail -1)").stdout == "99999\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "1"}])
def test_a_name_in_any_encoding_can_be_printed(stream: str, environment: dict[str, str]) -> None:
    ended = run_shell(rf"print('a\udcff\xe9\u2713', file=sys.{stream})", "2>&1 | od -An -c", **environment)
    assert ended.stdout.split()[0] == "a" and "Error" not in ended.stdout


def test_a_background_job_is_not_stopped_by_a_terminal_that_stops_writers() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", BACKGROUND_JOB, sys.executable, PROTECTED.format(True) + MESSAGES],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    shown = b""
    while b"ended" not in shown:
        shown += os.read(ours, 10_000)
    assert process.wait(timeout=60) == 0
    assert b"ended with 0" in shown and b"message" not in shown
    os.close(ours)

"""A terminal for tests: a command's standard error on a pseudo-terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

ROWS = 24
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run_on_terminal(code: str, *, columns: int, **environment: str) -> str:
    """The output of Python running `code` with standard error on a terminal of `columns` columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    unset = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=inherited | {"TERM": "xterm-256color", "PYTHONUTF8": "1"} | environment,
    )
    os.close(theirs)
    written = b""
    # Reading fails when the last process that holds the other end has closed it.
    try:
        while part := os.read(ours, 65_536):
            written += part
    except OSError:
        pass
    finally:
        os.close(ours)
    assert process.wait(timeout=60) == 0, written.decode()
    return written.decode()


def lines_shown(written: str) -> list[str]:
    """The texts that were drawn one after the other, without colours and repetitions."""
    shown: list[str] = []
    for text in re.split(r"[\r\n]+", CONTROL_SEQUENCE.sub("", written)):
        text = text.rstrip()
        if text and (not shown or shown[-1] != text):
            shown.append(text)
    return shown

"""Signals that end a command, also where nobody receives the exception that they raise."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

LOST = """
import os, signal
from virnucpro_tasks.system.interruption import catch_ending_signals, raise_if_interrupted

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.{signal})

catch_ending_signals()
raise_if_interrupted()
finalized = Finalized()
del finalized
print("it goes on")
try:
    raise_if_interrupted()
except KeyboardInterrupt as error:
    print("interrupted", *error.args)
"""


@pytest.mark.parametrize(("name", "told"), [("SIGTERM", "interrupted SIGTERM"), ("SIGINT", "interrupted")])
def test_an_interruption_that_a_finalizer_swallows_is_raised_later_and_leaves_no_traceback(
    name: str, told: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOST.replace("{signal}", name)],
        capture_output=True,
        text=True,
        check=True,
        # A test run in the background of a shell ignores it, and what it starts would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert ended.stdout.splitlines() == ["it goes on", told]
    assert ended.stderr == ""


def test_other_exceptions_that_nobody_receives_are_printed() -> None:
    code = LOST.replace("os.kill(os.getpid(), signal.{signal})", "raise ZeroDivisionError")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["it goes on"]
    assert "ZeroDivisionError" in ended.stderr

"""Commands whose standard output or error is closed, full or has no reader."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cli.terminal import lines_shown, run_on_terminal

from virnucpro_tasks.errors import ExitCode

CLI = "virnucpro_tasks.cli.main"
SUPERVISOR = "virnucpro_workers --devices none --coordinators 0"
PRODUCTS = ["--version", "--help", "config show", "config show --json", "models list --json"]


def ended(module: str, redirection: str) -> subprocess.CompletedProcess[str]:
    """How `python -m` of a module with arguments ended, under bash."""
    command = f'"$0" -m {module} {redirection}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
@pytest.mark.parametrize("arguments", PRODUCTS)
def test_a_command_whose_result_cannot_be_printed_fails(arguments: str, redirection: str) -> None:
    found = ended(f"{CLI} {arguments}", redirection)
    assert found.returncode == ExitCode.UNWRITTEN
    assert found.stderr.startswith("virnucpro: error: standard output cannot be written: ")
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2>&1 | head -1; exit ${PIPESTATUS[0]}"])
@pytest.mark.parametrize(("arguments", "code"), [("config show", ExitCode.OK), ("status nowhere", ExitCode.JOB_FAILED)])
def test_the_exit_code_does_not_depend_on_the_display(arguments: str, code: ExitCode, redirection: str) -> None:
    found = ended(f"{CLI} {arguments}", redirection)
    assert (found.returncode, found.stderr) == (code, "")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&- 2>&- <&-"])
def test_a_supervisor_ends_with_its_own_code_if_its_log_cannot_be_written(redirection: str) -> None:
    assert ended(SUPERVISOR, redirection).returncode == ExitCode.USAGE


def test_a_command_that_reads_the_terminal_says_so() -> None:
    code = (
        "from pathlib import Path\n"
        "from virnucpro_tasks.cli.messages import say_if_terminal_is_read\n"
        "say_if_terminal_is_read([Path('a.fa')])\n"
        "say_if_terminal_is_read([Path('a.fa'), Path('-')], quiet=True)\n"
        "say_if_terminal_is_read([Path('a.fa'), Path('-')])\n"
    )
    (line,) = lines_shown(run_on_terminal(code, columns=200))
    assert line.startswith("FASTA or FASTQ is read from this terminal")

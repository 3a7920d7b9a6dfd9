from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.commands import run
from cli.conftest import Virnucpro
from job import SAMPLE

from virnucpro_tasks.cli.main import COMMANDS
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.system import interruption
from virnucpro_tasks.system.interruption import ENDING_SIGNALS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert run(monkeypatch, command, "--help") == ExitCode.OK
    assert "Usage: " in capsys.readouterr().out


@pytest.mark.parametrize(("command", "threads"), [("predict", "1"), ("submit", "1"), ("train", None)])
def test_only_fitting_starts_a_thread_for_each_core(
    command: str, threads: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert run(monkeypatch, command, "--help") == ExitCode.OK
    assert os.environ.get("OPENBLAS_NUM_THREADS") == threads


def test_version_is_machine_readable(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert run(monkeypatch, "--version") == ExitCode.OK
    assert capsys.readouterr().out.startswith("virnucpro, version ")


def test_called_with_nothing_it_shows_help_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch) == ExitCode.USAGE


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["no-such-command"], ExitCode.USAGE, "No such command"),
        (["status", "../../etc", "--store", "."], ExitCode.JOB_FAILED, "not a job id"),
        (["status", "20260101t000000z-aaaaaaaaaaaaaaaa"], ExitCode.JOB_FAILED, "there is no store"),
        (
            ["submit", str(SAMPLE), "--bundle", "demo", "--broker-url", "redis://127.0.0.1:1/0"],
            ExitCode.UNREACHABLE,
            "Redis",
        ),
        (["predict", "x.fasta", "-o", "out"], ExitCode.USAGE, "no model bundle is set"),
        (["predict", "x.fasta", "-o", "out", "--bundle", "nowhere"], ExitCode.BAD_INPUT, "no bundle.json here"),
        (["predict", "x.fasta", "-o", "out", "--bundle", "demo"], ExitCode.BAD_INPUT, "x.fasta"),
        (["predict", "-o", "out", "--bundle", "demo"], ExitCode.USAGE, "no input file"),
        (["config", "show", "--store", ""], ExitCode.OK, ""),
    ],
)
def test_errors_are_one_line_with_a_documented_code(
    arguments: list[str],
    code: ExitCode,
    part: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *arguments) == code
    message = capsys.readouterr().err
    assert part in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "--nosuch"], "No such option '--nosuch' (see 'virnucpro predict --help')"),
        (["models", "convert", "x"], "Missing option '--dnabert' (see 'virnucpro models convert --help')"),
        (["models", "demo", "x", "--seed", "1"], "--seed needs --rebuild (see 'virnucpro models demo --help')"),
        (["models", "verify"], "Missing argument 'BUNDLE' (see 'virnucpro models verify --help')"),
        (["--nosuch"], "No such option '--nosuch' (see 'virnucpro --help')"),
    ],
)
def test_wrong_use_is_one_line_that_names_the_help_of_the_command(
    arguments: list[str], message: str, virnucpro: Virnucpro
) -> None:
    ended = virnucpro(*arguments)
    assert (ended.code, ended.out, ended.err) == (ExitCode.USAGE, [], [f"virnucpro: error: {message}"])


def test_an_unexpected_error_is_reported_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("virnucpro_tasks.cli.list_jobs.require_store", explode)
    assert run(monkeypatch, "list") == ExitCode.UNEXPECTED
    message = capsys.readouterr().err
    assert "ZeroDivisionError: by nought" in message
    assert "Traceback" not in message


@pytest.fixture
def handlers() -> Iterator[None]:
    """Puts the handlers of signals back that an interrupted command leaves ignored."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    interruption._received.clear()


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_a_signal_that_ends_a_command_is_named(
    number: signal.Signals, handlers: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for ending in ENDING_SIGNALS:
        signal.signal(ending, signal.SIG_DFL)
    monkeypatch.setattr("virnucpro_tasks.cli.list_jobs.require_store", lambda *_: os.kill(os.getpid(), number))
    assert run(monkeypatch, "list") == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == f"\nvirnucpro: error: interrupted by {number.name}\n"


def test_variables_of_services_are_ignored_with_one_warning(
    virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"VIRNUCPRO_PORT": "tcp://10.0.0.1:80", "VIRNUCPRO_SERVICE_HOST": "10.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    ended = virnucpro("config", "show")
    assert ended.code == ExitCode.OK
    (warning,) = ended.err
    assert "warning: ignored VIRNUCPRO_PORT, VIRNUCPRO_SERVICE_HOST" in warning

"""The global --log-file, --quiet and --verbose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks.cli import messages
from virnucpro_tasks.cli.log_file import close_log, has_log, log, open_log
from virnucpro_tasks.cli.main import cli
from virnucpro_tasks.cli.messages import say, tell_detail
from virnucpro_tasks.errors import ExitCode

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - virnucpro - (\w+) - (.*)")


def lines(file: Path) -> list[tuple[str, str]]:
    found = [LINE.fullmatch(line) for line in file.read_text().splitlines()]
    return [(line[1], line[2]) for line in found if line is not None]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "run.log"
    close_log()


def test_what_is_said_is_appended_with_its_time_and_level(file: Path, capsys: pytest.CaptureFixture) -> None:
    file.write_text("2026-01-01 00:00:00,000 - virnucpro - INFO - before\n")
    open_log(file)
    say("a message")
    say("warning: a message", quiet=True)
    log("two\nlines \x1b[31m and 100 %s", level="ERROR")
    tell_detail("of a worker")
    close_log()
    say("nobody logs this")
    assert lines(file) == [
        ("INFO", "before"),
        ("INFO", "a message"),
        ("WARNING", "warning: a message"),
        ("ERROR", r"two\nlines \x1b[31m and 100 %s"),
        ("DEBUG", "of a worker"),
    ]
    assert capsys.readouterr().err.splitlines() == ["a message", "nobody logs this"]


def test_errors_of_commands_and_their_warnings_are_logged(
    file: Path, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRNUCPRO_DISABLE_PACKING", "1")
    ended = virnucpro("-q", "-l", file, "status", "mine")
    assert ended.code == ExitCode.JOB_FAILED and len(ended.err) == 1
    assert [level for level, _ in lines(file)] == ["WARNING", "ERROR"]
    assert not has_log()


@pytest.mark.parametrize("place", ["missing/run.log", "."])
def test_a_log_that_cannot_be_written_is_refused(place: str, virnucpro: Virnucpro, tmp_path: Path) -> None:
    ended = virnucpro("--log-file", tmp_path / place, "config", "show")
    assert ended.code == ExitCode.USAGE and len(ended.err) == 1 and not ended.out


def test_a_file_that_is_no_log_is_not_appended_to(virnucpro: Virnucpro, file: Path) -> None:
    file.write_text(">sequence\nACGT\n")
    ended = virnucpro("-l", file, "config", "show")
    assert ended.code == ExitCode.USAGE and "is no log" in ended.err[0]
    assert file.read_text() == ">sequence\nACGT\n"
    file.write_text("")
    assert virnucpro("-l", file, "config", "show").code == ExitCode.OK


def test_a_log_on_a_full_disk_does_not_end_the_command(virnucpro: Virnucpro) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    ended = virnucpro("-l", "/dev/full", "config", "show")
    assert (ended.code, ended.err) == (ExitCode.OK, [])


@pytest.mark.parametrize(
    ("flag", "says"), [(None, ["a message"]), ("silent", []), ("verbose", ["a message", "detail"])]
)
def test_global_options_decide_what_is_printed(
    flag: str | None, says: list[str], capsys: pytest.CaptureFixture
) -> None:
    root = click.Context(cli)
    root.params = {flag: True} if flag else {}
    with root, click.Context(click.Command("submit"), parent=root):
        say("a message")
        tell_detail("detail")
        assert messages.wants_details() == (flag == "verbose")
    assert capsys.readouterr().err.splitlines() == says


def test_results_are_printed_also_by_a_quiet_command(virnucpro: Virnucpro) -> None:
    assert virnucpro("-q", "config", "show").out == virnucpro("config", "show").out
    assert "log_level = DEBUG" in virnucpro("-v", "config", "show").out

from __future__ import annotations

import io

import pytest
from cli.conftest import Virnucpro
from monitoring.looks import look, troubled

from virnucpro_tasks.cli import top
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.settings import Settings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("interrupt", "code"), [(KeyboardInterrupt(), ExitCode.OK), (KeyboardInterrupt("SIGTERM"), ExitCode.INTERRUPTED)]
)
def test_ctrl_c_is_how_one_leaves_it_and_the_terminal_is_as_before(
    interrupt: KeyboardInterrupt, code: int, settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        raise interrupt

    (settings.store / "jobs").mkdir(parents=True)
    shown = Terminal()
    monkeypatch.setattr(top.Observer, "look", lambda _: look())
    monkeypatch.setattr(top.sys, "stdout", shown)
    monkeypatch.setattr(top.time, "sleep", sleep)
    ended = virnucpro("top")
    assert ended.code == code
    assert shown.getvalue().startswith(top.OTHER_SCREEN) and shown.getvalue().endswith(top.OWN_SCREEN)
    assert (ended.err == []) is (code == ExitCode.OK)


def test_lines_for_no_terminal_are_whole(
    settings: Settings, virnucpro: Virnucpro, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.store / "jobs").mkdir(parents=True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(top.Observer, "look", lambda _: troubled())
    assert any(line.endswith("start one with 'virnucpro worker --bundle FOLDER'") for line in virnucpro("top").out)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert max(map(len, virnucpro("top", "--once").out)) == 40

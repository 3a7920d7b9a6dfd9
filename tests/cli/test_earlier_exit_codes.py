"""The exit codes of the earlier package, and where they are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli.commands import run

from virnucpro_tasks.cli.earlier_exit_codes import EARLIER_CODES, OLD, ExitCodes
from virnucpro_tasks.errors import ExitCode, VirnucproError

OUTPUTS = (Path(__file__).resolve().parents[2] / "docs" / "outputs.md").read_text()


def test_every_code_has_one_of_before_and_the_document_has_both() -> None:
    assert EARLIER_CODES.keys() == set(ExitCode)
    rows = re.findall(r"^\| (\d+) \| (\d+) \|", OUTPUTS, re.MULTILINE)
    assert {int(own): int(old) for own, old in rows} == dict(EARLIER_CODES)


@pytest.mark.parametrize("code", ExitCode)
def test_each_is_translated_where_that_is_asked_for(code: ExitCode) -> None:
    own, old = ExitCodes(), ExitCodes()
    old.kind = OLD
    assert (own.of(code), old.of(code)) == (int(code), EARLIER_CODES[code])
    # A command of earlier versions gives its own
    assert (own.of(int(code)), old.of(int(code))) == (int(code), int(code))


@pytest.mark.parametrize("code", ExitCode)
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_command_ends_with_it(place: str, code: ExitCode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def end(*_: object, **__: object) -> None:
        error = VirnucproError("as asked")
        error.exit_code = code
        raise error

    monkeypatch.setattr("virnucpro_tasks.cli.predict.settings_of", end)
    option = ("--exit-codes", "old")
    words = ("predict", "x.fasta", "-o", str(tmp_path / "out"))
    arguments = (*option, *words) if place == "before" else (*words, *option)
    assert run(monkeypatch, *arguments) == EARLIER_CODES[code]
    assert run(monkeypatch, *words) == code


def test_wrong_use_that_click_finds_gives_2_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (("predict", "--nosuch"), ("nosuch",), ("predict", "x", "-e", "many")):
        assert run(monkeypatch, "--exit-codes", "old", *words) == 2

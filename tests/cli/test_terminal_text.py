from __future__ import annotations

import sys

import pytest
from cli.terminal import run_on_terminal

from virnucpro_tasks.cli.terminal_text import broken, fitted

MESSAGE = "warning: " + "the scores of short records are less certain " * 5


@pytest.mark.parametrize("width", [1, 12, 40, 79])
def test_lines_are_broken_between_words(width: int) -> None:
    lines = broken(MESSAGE, width)
    assert " ".join(lines).split() == MESSAGE.split()
    assert all(len(line) <= width or " " not in line for line in lines)


def test_a_line_that_fits_is_kept_as_it_is() -> None:
    assert broken("  a   b ", 10) == ["  a   b "]


def test_a_word_that_is_too_long_stays_whole_so_that_a_path_can_be_copied() -> None:
    path = "/data/" + "x" * 100
    assert broken(f"results are in {path}", 40) == ["results are in", path]


def test_what_is_broken_off_is_indented_as_its_line_and_more() -> None:
    assert broken("  one two three", 9, hanging=2) == ["  one two", "    three"]


def test_what_is_no_terminal_gets_one_line(capsys: pytest.CaptureFixture) -> None:
    assert fitted(MESSAGE, sys.stderr) == MESSAGE


@pytest.mark.parametrize("statement", ["say(TEXT)", "complain(TEXT)"])
def test_messages_break_between_words_on_a_terminal(statement: str) -> None:
    code = (
        "from virnucpro_tasks.cli.messages import say\n"
        "from virnucpro_tasks.cli.complaint import complain\n"
        f"TEXT = {MESSAGE!r}\n{statement}\n"
    )
    shown = run_on_terminal(code, columns=60).splitlines()
    assert len(shown) > 3 and max(map(len, shown)) < 60
    assert " ".join(" ".join(shown).split()).endswith(" ".join(MESSAGE.split()))

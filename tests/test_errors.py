"""What a user reads of an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.errors import (
    BundleError,
    InputError,
    JobError,
    SettingsError,
    VirnucproError,
    clock_text,
    counted,
    percent,
    printable,
    size_text,
)

CLEAR_SCREEN = "\x1b[2J\x9b1m\r\n\x07"


@pytest.mark.parametrize(
    "error",
    [
        VirnucproError(CLEAR_SCREEN),
        SettingsError("x", hint=CLEAR_SCREEN),
        InputError(CLEAR_SCREEN, file=CLEAR_SCREEN, record=CLEAR_SCREEN, line=3, hint=CLEAR_SCREEN),
        BundleError("x", path=Path(CLEAR_SCREEN)),
        JobError("x", job_id=CLEAR_SCREEN),
    ],
)
def test_nothing_in_a_message_steers_a_terminal(error: VirnucproError) -> None:
    assert str(error).isprintable()


def test_what_prints_stays_as_it_is() -> None:
    assert printable("höhere α-Zahl 'x\\n'") == "höhere α-Zahl 'x\\n'"
    assert printable("a\tb\udcff") == "a\\tb\\udcff"


def test_place_message_and_hint_are_one_line() -> None:
    error = InputError("empty sequence", file="a.fa", record="r1", line=7, hint="remove it")
    assert str(error) == "a.fa, line 7, record 'r1': empty sequence (remove it)"
    assert str(BundleError("cut off", path=Path("b"))) == "b: cut off"
    assert str(JobError("unknown", job_id="j", hint="see list")) == "job j: unknown (see list)"


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(number, "record") for number in (0, 1, 2, 1_234)] == [
        "0 records",
        "1 record",
        "2 records",
        "1,234 records",
    ]


@pytest.mark.parametrize(
    ("part", "whole", "decimals", "text"),
    [
        (9_985, 10_000, 0, ">99%"),
        (9_900, 10_000, 0, "99%"),
        (10_000, 10_000, 0, "100%"),
        (15, 10_000, 0, "<1%"),
        (0, 10_000, 0, "0%"),
        (9_985, 10_000, 1, "99.8%"),
        (9_999, 10_000, 1, ">99.9%"),
        (0.998, 1, 1, "99.8%"),
        (1, 10_000, 1, "<0.1%"),
        (1, 3, 1, "33.3%"),
    ],
)
def test_a_part_is_neither_all_nor_nothing(part: float, whole: float, decimals: int, text: str) -> None:
    assert percent(part, whole, decimals=decimals) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2.5e12, "2.5 TB")])
def test_sizes_in_words(size: float, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (42, "0:42"), (3_599.6, "1:00:00"), (7_265, "2:01:05")])
def test_clock(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text

"""Values as text for a page."""

from __future__ import annotations

import pytest

from virnucpro_tasks.report.wording import (
    MOST_LETTERS,
    SHORT_LETTERS,
    ShownText,
    TextBudget,
    duration,
    flat,
    moment,
    number,
    score,
    share,
)


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"plain", "plain"), (b"\xff<b>", "\\xff<b>"), (b"\x1b[31m", "\\x1b[31m"), ("\u202ea".encode(), "\\u202ea")],
)
def test_what_could_control_a_screen_is_escaped(content: bytes, text: str) -> None:
    assert TextBudget(0).shown(content) == ShownText(text)


def test_a_long_text_is_cut_and_given_whole_on_demand() -> None:
    text = TextBudget(100_000).shown(b"x" * 10_240)
    assert len(text.short) == SHORT_LETTERS and text.short.endswith("x…")
    assert text.whole == "x" * 10_240 and text.left_off == 0


def test_a_page_holds_so_many_letters_of_long_texts_only() -> None:
    texts = TextBudget(MOST_LETTERS + 10)
    assert texts.shown(b"x" * 30_000).left_off == 30_000 - MOST_LETTERS
    assert texts.shown(b"y" * 100) == ShownText("y" * (SHORT_LETTERS - 1) + "…", "y" * 10, 90)
    assert texts.shown(b"z" * 100).whole == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.2 s"), (59.4, "59.4 s"), (95.9, "1 min 36 s"), (7_260, "2 h 1 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers() -> None:
    assert (number(1_234), score(0.12345), score(None)) == ("1,234", "0.123", "NA")
    assert (share(1, 3), share(0, 0)) == ("33.3 %", "–")
    assert (share(99_999, 100_000), share(1, 100_000), share(0, 1)) == (">99.9 %", "<0.1 %", "0.0 %")


def test_a_moment_is_in_utc_and_another_text_stays() -> None:
    assert moment("2026-01-02T03:04:05+01:00") == "2026-01-02 02:04 UTC"
    assert moment("yesterday") == "yesterday"


def test_nested_values_are_flat() -> None:
    values = {"a": {"b": 1_000, "c": {"d": True}}, "e": "x\n", "f": None}
    assert (
        list(flat(values))
        == list(flat(dict(reversed(values.items()))))
        == [("a.b", "1,000"), ("a.c.d", "yes"), ("e", "x\\n")]
    )

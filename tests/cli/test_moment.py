from __future__ import annotations

import time

import click
import pytest

from virnucpro_tasks.cli.moment import MomentType


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("2h", 7_200), ("1d", 86_400)])
def test_a_time_ago(text: str, seconds: float) -> None:
    assert MomentType().convert(text, None, None) == pytest.approx(time.time() - seconds, abs=30)


def test_a_date_with_and_without_a_time_zone() -> None:
    assert MomentType().convert("2026-05-31T14:00+00:00", None, None) == 1_780_236_000
    noon = time.mktime((2026, 5, 31, 12, 0, 0, 0, 0, -1))
    assert MomentType().convert("2026-05-31 12:00", None, None) == noon


@pytest.mark.parametrize("text", ["yesterday", "0", "2026-99-01", "9999-01-01", ""])
def test_what_is_no_moment_is_told_all_that_is_accepted(text: str) -> None:
    with pytest.raises(click.BadParameter) as raised:
        MomentType().convert(text, None, None)
    message = raised.value.message
    assert message.startswith(f"{text!r} is no moment of the past: write seconds, 30m, 2h or 1d (ago), or a date as ")
    *_, example = message.split()
    assert MomentType().convert(example.replace("T14", "T00"), None, None) <= time.time() + 86_400

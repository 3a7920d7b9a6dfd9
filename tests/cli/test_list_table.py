from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from virnucpro_tasks.cli.list_table import age_text


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0s"), (59, "59s"), (60, "1min"), (3_600, "1h"), (86_399, "23h"), (8_640_000, "100d")]
)
def test_ages(seconds: int, shown: str) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    made = (now - timedelta(seconds=seconds)).isoformat(timespec="seconds")
    assert age_text(made, now) == shown

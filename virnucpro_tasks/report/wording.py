"""Values of results as text for a page: bytes of the input, numbers, times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from virnucpro_tasks.errors import percent, printable

SHORT_LETTERS = 48
"""Letters of an id that are shown at once."""
MOST_LETTERS = 20_000
"""Letters of an id that are shown on demand."""


@dataclass(frozen=True, slots=True)
class ShownText:
    """Text of the input without control characters: `short` to show, `whole` on demand if it is longer.

    `left_off` counts the letters that neither has.
    """

    short: str
    whole: str = ""
    left_off: int = 0


class TextBudget:
    """Turns bytes of the input into text to show. Long texts are given whole until they have `letters` in all."""

    def __init__(self, letters: int) -> None:
        self._left = letters

    def shown(self, content: bytes, *, most: int = SHORT_LETTERS) -> ShownText:
        """`content` with bytes that are not UTF-8 and control characters as escapes."""
        text = printable(content.decode("utf-8", "backslashreplace"))
        if len(text) <= most:
            return ShownText(text)
        short = text[: most - 1] + "…"
        whole = text[: max(0, min(MOST_LETTERS, self._left))]
        self._left -= len(whole)
        return ShownText(short, whole, len(text) - len(whole))


def number(value: int) -> str:
    """A count with separators of thousands."""
    return f"{value:,}"


def score(value: float | None) -> str:
    """A probability with three decimals; NA for None."""
    return "NA" if value is None else f"{value:.3f}"


def share(part: float, whole: float) -> str:
    """A part of a whole in percent."""
    return percent(part, whole, decimals=1, sign=" %") if whole else "–"


def duration(seconds: float) -> str:
    """Seconds in the two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def moment(text: str) -> str:
    """An ISO 8601 time to the minute, in UTC; another text unchanged."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return text


def flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of nested JSON by name, those of inner objects with the outer name before theirs."""
    for name, value in sorted(values.items()):
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        elif isinstance(value, bool):
            yield before + name, "yes" if value else "no"
        elif value not in (None, ""):
            yield before + name, printable(f"{value:,}" if isinstance(value, int) else str(value))

"""A job's progress as one line of a terminal, redrawn in place: state, bar, and as many facts as fit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from virnucpro_tasks.cli.progress import Rate, RateMeter, Show, facts, joined, share_done
from virnucpro_tasks.jobs.progress import JobState, Progress

STATE_CHARACTERS = max(map(len, JobState))
LEAST_COLUMNS = STATE_CHARACTERS + 1
"""The narrowest terminal that has room for the state. A variable COLUMNS=0 says that the width is unknown."""

BAR_CHARACTERS = 40
LEAST_BAR_CHARACTERS = 8
ROOM_FOR_A_BAR = 48
"""Characters beside the state, below which facts are worth more than a bar."""

REDRAWS_PER_SECOND = 8

UNMEASURED_STATES = frozenset({JobState.SPLITTING, JobState.FINISHING})
"""Stages without a known total: the bar pulses."""


class ProgressLine:
    """The line to be drawn: the latest snapshot, cut to the present width of the terminal."""

    def __init__(self, progress: Progress, rate: Rate | None) -> None:
        self._progress = progress
        self._rate = rate

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # One column is left free: some terminals wrap a line that fills the last one.
        room = options.max_width - 1 - STATE_CHARACTERS - len("  ")
        reserved = LEAST_BAR_CHARACTERS if room >= ROOM_FOR_A_BAR else 0
        text = joined(facts(self._progress, self._rate), width=room - reserved)
        bar_width = min(BAR_CHARACTERS, room - len(text))
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_column(width=STATE_CHARACTERS, no_wrap=True)
        cells: list[Text | ProgressBar] = [Text(self._progress.state)]
        if bar_width >= LEAST_BAR_CHARACTERS:
            line.add_column(width=bar_width)
            cells.append(_bar(self._progress, bar_width))
        line.add_column(no_wrap=True, overflow="crop")
        line.add_row(*cells, Text(text))
        yield line


def terminal_console() -> Console:
    """Standard error as rich sees it: its width, its colours, and whether lines can be redrawn there."""
    return Console(file=sys.stderr, highlight=False)


@contextmanager
def live_line(console: Console) -> Iterator[Show]:
    """A function that draws a snapshot over the one before; the last one stays, with the cursor below it."""
    meter = RateMeter()
    with Live(
        console=console, refresh_per_second=REDRAWS_PER_SECOND, redirect_stdout=False, vertical_overflow="crop"
    ) as live:
        yield lambda progress: live.update(ProgressLine(progress, meter.measure(progress)), refresh=True)


def _bar(progress: Progress, width: int) -> ProgressBar:
    pulse = progress.state in UNMEASURED_STATES
    return ProgressBar(total=1.0, completed=share_done(progress) or 0.0, width=width, pulse=pulse)

"""A job's progress as one line of a terminal, redrawn in place: state, bar, and as many facts as fit.

The cursor rests at the beginning of the line. A terminal that wraps the line when its window gets narrower keeps the
cursor there, so the next redraw clears all of it; nothing is left behind, as it is with a cursor at the end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.segment import Segment

from virnucpro_tasks.cli.messages import printing_above
from virnucpro_tasks.cli.progress import Show, facts, joined
from virnucpro_tasks.cli.terminal_text import columns
from virnucpro_tasks.jobs.progress import JobState, Progress, Wait, share_done
from virnucpro_tasks.jobs.rate import Rate, RateMeter

STATE_CHARACTERS = max(map(len, JobState))
LEAST_COLUMNS = STATE_CHARACTERS + 1
"""The narrowest terminal that has room for the state."""

BAR_CHARACTERS = 40
LEAST_BAR_CHARACTERS = 8
ROOM_FOR_A_BAR = 48
"""Characters beside the state, below which facts are worth more than a bar."""

UNMEASURED_STATES = frozenset({JobState.QUEUED, JobState.SPLITTING})
"""Stages without a known total have no bar."""

TO_BEGINNING, CLEAR_ROW, CLEAR_REST = "\r", "\x1b[2K", "\x1b[J"
"""The last one is not sent at the beginning of a row: tmux would keep what it clears, as the screen before."""
WRAP_OFF, WRAP_ON = "\x1b[?7l", "\x1b[?7h"
"""A window can become narrower before this process learns of it."""
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class ProgressLine:
    """The line to be drawn in a given width: a snapshot and what is known besides."""

    def __init__(
        self, progress: Progress, rate: Rate | None, *, wait: Wait | None = None, elapsed_seconds: float = 0.0
    ) -> None:
        self._progress = progress
        self._facts = facts(progress, rate, wait=wait, elapsed_seconds=elapsed_seconds)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # One column is left free: some terminals wrap a line that fills the last one.
        most = options.max_width - 1
        room = most - STATE_CHARACTERS - len("  ")
        has_bar = room >= ROOM_FOR_A_BAR and self._progress.state not in UNMEASURED_STATES
        text = joined(self._facts, width=room - LEAST_BAR_CHARACTERS if has_bar else room)
        yield Segment(f"{self._progress.state:<{STATE_CHARACTERS}} "[:most])
        if has_bar:
            width = min(BAR_CHARACTERS, room - len(text))
            yield ProgressBar(total=1.0, completed=share_done(self._progress) or 0.0, width=width)
            yield Segment(" ")
        yield Segment(text)


class LiveLine:
    """Draws the latest snapshot over the one before."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._started_at = clock()
        self._meter = RateMeter(clock=clock)
        self._drawn = ""

    def show(self, progress: Progress, wait: Wait | None = None) -> None:
        rate = self._meter.measure(progress)
        line = ProgressLine(progress, rate, wait=wait, elapsed_seconds=self._clock() - self._started_at)
        self._console.width = columns(sys.stderr)
        with self._console.capture() as captured:
            self._console.print(line, end="")
        if captured.get() != self._drawn:
            self._drawn = captured.get()
            self.draw()

    def draw(self) -> None:
        _write(f"{self._line}{TO_BEGINNING}")

    def clear(self) -> None:
        _write(f"{TO_BEGINNING}{CLEAR_ROW} {CLEAR_REST}{TO_BEGINNING}")

    def end(self) -> None:
        """Leave the last snapshot, with the cursor below it."""
        if self._drawn:
            _write(f"{self._line}\n")

    @property
    def _line(self) -> str:
        return f"{TO_BEGINNING}{CLEAR_ROW}{WRAP_OFF}{self._drawn}{CLEAR_REST}{WRAP_ON}"


def terminal_console() -> Console:
    """Standard error as rich sees it: its colours, its characters, and whether lines can be redrawn there."""
    return Console(file=sys.stderr, highlight=False)


@contextmanager
def live_line(console: Console) -> Iterator[Show]:
    """A function that draws a snapshot over the one before; messages are printed above it, and the last one stays."""
    line = LiveLine(console)
    _write(HIDE_CURSOR)
    try:
        with printing_above(line):
            yield line.show
    finally:
        line.end()
        _write(SHOW_CURSOR)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()

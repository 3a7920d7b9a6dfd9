"""The display of 'models pull' while a file moves: one redrawn line, or without a terminal a line now and then."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.errors import printable
from virnucpro_tasks.models.download import Watcher
from virnucpro_tasks.models.manifest import PublishedFile

REDRAWS_PER_SECOND = 4
LINE_SECONDS = 30.0
"""Time between two lines where none can be redrawn."""

RATE_SECONDS = 10.0
"""The time over which the rate is measured."""

LEAST_NAME_CHARACTERS = 18
"""A longer name is cut to this before a fact is left out."""

SMALL_BYTES = 1 << 20
"""Smaller files are not announced."""


@dataclass(slots=True)
class Transfer:
    """How far one file is: bytes that are there, all if known, and the rate of the last seconds."""

    name: str
    total_bytes: int | None
    done_bytes: int = 0
    _moments: deque[tuple[float, int]] = field(default_factory=deque)

    def move(self, done_bytes: int, total_bytes: int | None, now: float) -> None:
        """Note that `done_bytes` are there at `now`, in seconds of any clock."""
        if done_bytes < self.done_bytes:
            self._moments.clear()
        self.done_bytes, self.total_bytes = done_bytes, total_bytes or self.total_bytes
        self._moments.append((now, done_bytes))
        while now - self._moments[0][0] > RATE_SECONDS and len(self._moments) > 2:
            self._moments.popleft()

    @property
    def bytes_per_second(self) -> float:
        """The rate; 0 if it is not known yet."""
        if len(self._moments) < 2:
            return 0.0
        (first, before), (last, after) = self._moments[0], self._moments[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def line(self, columns: int) -> str:
        """The state as one line of at most `columns` characters: a long name is cut, then facts from the end."""
        facts = [f"{self.done_bytes / 1e6:,.1f} MB"]
        if self.total_bytes:
            facts = [
                f"{100 * self.done_bytes / self.total_bytes:3.0f} %",
                f"{self.done_bytes / 1e6:,.1f} of {self.total_bytes / 1e6:,.1f} MB",
            ]
        if rate := self.bytes_per_second:
            facts.append(f"{rate / 1e6:,.1f} MB/s")
            if self.total_bytes:
                facts.append(f"{_duration((self.total_bytes - self.done_bytes) / rate)} left")
        needed = min(len(self.name), LEAST_NAME_CHARACTERS)
        while len(facts) > 1 and needed + len("  ".join(["", *facts])) > columns:
            facts.pop()
        rest = "  ".join(facts)
        name, room = self.name, columns - len(rest) - len("  ")
        if len(name) > room:
            name = f"…{name[len(name) - room + 1 :]}" if room > 1 else ""
        return "  ".join(filter(None, [name, rest]))[: max(1, columns)]


class _Line:
    """A transfer, drawn to the present width of the terminal."""

    def __init__(self, transfer: Transfer) -> None:
        self._transfer = transfer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # One column is left free: some terminals wrap a line that fills the last one.
        yield Text(self._transfer.line(options.max_width - 1), no_wrap=True, overflow="crop")


class Display:
    """Shows transfers on standard error, one after the other, and sentences between."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        self._redraws = self._console.is_interactive and sys.stderr is not None and sys.stderr.isatty()
        self._quiet = quiet
        self._live: Live | None = None
        self._told_at = 0.0

    def say(self, text: str) -> None:
        """Print a sentence; a line that is redrawn goes on below it."""
        if self._quiet:
            return
        if self._live is not None:
            self._console.print(Text(printable(text)))
        else:
            say(printable(text))

    def begin(self, model: str, file: PublishedFile) -> Watcher:
        """Show `file` from now on, instead of the one before."""
        transfer = Transfer(f"{model}/{file.name}", file.bytes)
        self._told_at = time.monotonic()
        if self._live is not None:
            self._live.update(_Line(transfer), refresh=True)
        elif file.bytes is None or file.bytes >= SMALL_BYTES:
            size = "size not known yet" if file.bytes is None else f"{file.bytes / 1e6:,.1f} MB"
            self.say(f"{transfer.name}: {size}")
        return Watcher(moved=lambda done, total: self._moved(transfer, done, total), say=self.say)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """In the block transfers are shown; the line is removed at its end."""
        if not self._redraws or self._quiet:
            yield
            return
        with Live(
            console=self._console,
            refresh_per_second=REDRAWS_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
            vertical_overflow="crop",
        ) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def _moved(self, transfer: Transfer, done: int, total: int | None) -> None:
        now = time.monotonic()
        transfer.move(done, total, now)
        if self._live is None and not self._redraws and now - self._told_at >= LINE_SECONDS:
            self._told_at = now
            self.say(transfer.line(sys.maxsize))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"

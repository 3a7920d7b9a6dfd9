"""How far a job is, in words, and its display on standard error: one redrawn line on a terminal, else plain lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from virnucpro_tasks.cli.messages import say
from virnucpro_tasks.jobs.progress import JobState, Progress

PLAIN_LINE_SECONDS = 30.0
"""The shortest time between two plain lines about a job that stays in one state."""

MOST_UNFINISHED = 0.99
"""The largest share that is shown of a job with tokens left to embed."""

Show = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens embedded in a second, and the seconds until the rest of them are."""

    tokens_per_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Fact:
    """A part of the line about a job. Where there is no room for all, those of the highest `rank` are left out."""

    text: str
    rank: int = 0


class RateMeter:
    """Measures the rate over the snapshots of a job, from the first one that has totals."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None

    def measure(self, progress: Progress) -> Rate | None:
        """The rate up to this snapshot; None while totals are unknown or nothing was embedded since the first one."""
        if progress.tokens_done is None or progress.tokens_total is None:
            return None
        now = self._clock()
        if self._first is None:
            self._first = (now, progress.tokens_done)
        elapsed, done = now - self._first[0], progress.tokens_done - self._first[1]
        if elapsed <= 0 or done <= 0:
            return None
        rate = done / elapsed
        return Rate(rate, (progress.tokens_total - progress.tokens_done) / rate)


def describe(progress: Progress, rate: Rate | None = None) -> str:
    """One line about a job."""
    separator = ", " if share_done(progress) is None else ": "
    return f"{progress.state}{separator}{joined(facts(progress, rate))}"


def share_done(progress: Progress) -> float | None:
    """Embedded tokens over all tokens, 0 to 1; None while the input is still being split."""
    if progress.state == JobState.SPLITTING or progress.tokens_total is None or progress.tokens_done is None:
        return None
    return progress.tokens_done / progress.tokens_total if progress.tokens_total else 1.0


def facts(progress: Progress, rate: Rate | None) -> list[Fact]:
    """The facts about a job besides its state, in the order of reading."""
    share = share_done(progress)
    if share is None:
        return [Fact(f"{progress.shards_done} shards"), Fact(" embedded", rank=1), Fact(" so far", rank=2)]
    known = [
        # Rounded, but not to a whole before all is done.
        Fact(f"{share if share == 1 else min(share, MOST_UNFINISHED):.0%}"),
        Fact(f" of {progress.tokens_total:,} tokens", rank=5),
        Fact(f", {progress.shards_done}/{progress.shards_total} shards", rank=3),
    ]
    if progress.shards_quarantined:
        known.append(Fact(f", {progress.shards_quarantined} quarantined", rank=2))
    if rate is not None and progress.state == JobState.EMBEDDING:
        known.append(Fact(f", {rate.tokens_per_second:,.0f} tokens/s", rank=4))
        known.append(Fact(f", {clock_text(rate.seconds_left)} left", rank=1))
    return known


def joined(known: list[Fact], *, width: int | None = None) -> str:
    """The facts in one text of at most `width` characters, without the least important ones if need be.

    It is empty if not even the most important ones fit.
    """
    for rank in sorted({fact.rank for fact in known}, reverse=True):
        text = "".join(fact.text for fact in known if fact.rank <= rank)
        if width is None or len(text) <= width:
            return text
    return ""


def clock_text(seconds: float) -> str:
    """`h:mm:ss` or `m:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def progress_display(*, quiet: bool = False) -> Iterator[Show]:
    """A function that shows a snapshot: in one redrawn line if standard error is a terminal that can do that."""
    if quiet:
        yield lambda _: None
        return
    if sys.stderr.isatty():
        # Imported here: rich takes longer to import than most commands take to run.
        from virnucpro_tasks.cli.live_line import LEAST_COLUMNS, live_line, terminal_console

        console = terminal_console()
        if console.is_interactive and console.width >= LEAST_COLUMNS:
            with live_line(console) as show:
                yield show
            return
    yield PlainLines().show


class PlainLines:
    """Prints a line for each new state of a job, and for new counts after PLAIN_LINE_SECONDS."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._meter = RateMeter(clock=clock)
        self._shown: Progress | None = None
        self._shown_at = 0.0

    def show(self, progress: Progress) -> None:
        rate, now = self._meter.measure(progress), self._clock()
        is_new_state = self._shown is None or progress.state != self._shown.state
        if is_new_state or (progress != self._shown and now - self._shown_at >= PLAIN_LINE_SECONDS):
            say(describe(progress, rate))
            self._shown, self._shown_at = progress, now

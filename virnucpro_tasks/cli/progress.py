"""How far a job is, in words, and its display on standard error: one redrawn line on a terminal, else plain lines."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from virnucpro_tasks.cli.messages import is_silent, say
from virnucpro_tasks.cli.terminal_text import columns
from virnucpro_tasks.errors import clock_text
from virnucpro_tasks.jobs.progress import JobState, Progress, Wait, share_done
from virnucpro_tasks.jobs.rate import Rate, RateMeter

PLAIN_LINE_SECONDS = 30.0
"""The shortest time between two plain lines about a job that stays in one state."""

MOST_UNFINISHED = 0.99
"""The largest share that is shown of a job with tokens left to embed."""


SAME_SECONDS = 5.0
"""Times that differ by less count as one."""


class Show(Protocol):
    """Shows a snapshot, and what the job waits for."""

    def __call__(self, progress: Progress, wait: Wait | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Fact:
    """A part of the line about a job. Where there is no room for all, those of the highest `rank` are left out.

    `joint` is written between it and a fact before it.
    """

    text: str
    rank: int = 0
    joint: str = ", "


def describe(
    progress: Progress, rate: Rate | None = None, *, wait: Wait | None = None, elapsed_seconds: float = 0.0
) -> str:
    """One line about a job."""
    separator = ", " if share_done(progress) is None else ": "
    return separator.join(
        filter(None, [str(progress.state), joined(facts(progress, rate, wait=wait, elapsed_seconds=elapsed_seconds))])
    )


def facts(
    progress: Progress, rate: Rate | None, *, wait: Wait | None = None, elapsed_seconds: float = 0.0
) -> list[Fact]:
    """The facts about a job besides its state, in the order of reading."""
    known = _counts(progress)
    if wait is not None:
        known.append(Fact(wait.reason, rank=2))
        # One that began with the command lasts as long as that has.
        if wait.seconds is not None and abs(wait.seconds - elapsed_seconds) >= SAME_SECONDS:
            known.append(Fact(f" for {clock_text(wait.seconds)}", rank=4, joint=""))
    elif progress.state == JobState.FINISHING:
        known.append(Fact("scoring, writing results", rank=5))
    if rate is not None and progress.state == JobState.EMBEDDING:
        known.append(Fact(f"{rate.tokens_per_second:,.0f} tokens/s", rank=5))
    if elapsed_seconds >= 1:
        known.append(Fact(f"{clock_text(elapsed_seconds)} elapsed", rank=3))
    if rate is not None and progress.state == JobState.EMBEDDING:
        known.append(Fact(f"{clock_text(rate.seconds_left)} left", rank=1))
    return known


def _counts(progress: Progress) -> list[Fact]:
    share = share_done(progress)
    if share is None and not progress.shards_done:
        return []
    if share is None:
        return [
            Fact(f"{progress.shards_done} shards"),
            Fact(" embedded", rank=1, joint=""),
            Fact(" so far", rank=2, joint=""),
        ]
    known = [
        # Rounded, but not to a whole before all is done.
        Fact(f"{share if share == 1 else min(share, MOST_UNFINISHED):.0%}"),
        Fact(f" of {progress.tokens_total:,} tokens", rank=6, joint=""),
        Fact(f"{progress.shards_done}/{progress.shards_total} shards", rank=4),
    ]
    if progress.shards_quarantined:
        known.append(Fact(f"{progress.shards_quarantined} quarantined", rank=2))
    return known


def joined(known: list[Fact], *, width: int | None = None) -> str:
    """The facts in one text of at most `width` characters, without the least important ones if need be.

    It is empty if not even the most important ones fit.
    """
    for rank in sorted({fact.rank for fact in known}, reverse=True):
        text = ""
        for fact in known:
            if fact.rank <= rank:
                text += f"{fact.joint}{fact.text}" if text else fact.text.lstrip()
        if width is None or len(text) <= width:
            return text
    return ""


@contextmanager
def progress_display(*, quiet: bool = False) -> Iterator[Show]:
    """A function that shows a snapshot: in one redrawn line if standard error is a terminal that can do that."""
    if quiet or is_silent():
        yield lambda progress, wait=None: None
        return
    # Without TERM nobody knows what the terminal can do.
    if sys.stderr.isatty() and os.environ.get("TERM"):
        # Imported here: rich takes longer to import than most commands take to run.
        from virnucpro_tasks.cli.live_line import LEAST_COLUMNS, live_line, terminal_console

        console = terminal_console()
        if console.is_interactive and columns(sys.stderr) >= LEAST_COLUMNS:
            with live_line(console) as show:
                yield show
            return
    yield PlainLines().show


class PlainLines:
    """Prints a line for each new state of a job, and for news of one state after PLAIN_LINE_SECONDS."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._meter = RateMeter(clock=clock)
        self._started_at = clock()
        self._shown: tuple[Progress, str] | None = None
        self._shown_at = 0.0

    def show(self, progress: Progress, wait: Wait | None = None) -> None:
        rate, now = self._meter.measure(progress), self._clock()
        news = progress, wait.reason if wait is not None else ""
        is_new_state = self._shown is None or progress.state != self._shown[0].state
        if is_new_state or (news != self._shown and now - self._shown_at >= PLAIN_LINE_SECONDS):
            say(describe(progress, rate, wait=wait, elapsed_seconds=now - self._started_at))
            self._shown, self._shown_at = news, now

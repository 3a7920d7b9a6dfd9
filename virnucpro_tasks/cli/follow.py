"""Showing a job's progress: a bar on a terminal, a line now and then otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from celery import Celery

from virnucpro_tasks.cli.options import say
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, Progress
from virnucpro_tasks.queue.client import wait_for

BAR_CHARACTERS = 24
PLAIN_LINE_SECONDS = 30.0


class Rate:
    """Tokens a second since following began, and the time that is left."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def measure(self, progress: Progress) -> tuple[float, float] | None:
        """(tokens/s, seconds left); None while nothing can be said."""
        if progress.tokens_done is None or progress.tokens_total is None:
            return None
        now = time.monotonic()
        if self._first is None:
            self._first = (now, progress.tokens_done)
        elapsed, done = now - self._first[0], progress.tokens_done - self._first[1]
        if elapsed <= 0 or done <= 0:
            return None
        rate = done / elapsed
        return rate, (progress.tokens_total - progress.tokens_done) / rate


def describe(progress: Progress, rate: tuple[float, float] | None) -> str:
    """One line about a job."""
    if progress.state == JobState.SPLITTING or progress.tokens_total is None or progress.tokens_done is None:
        return f"{progress.state}, {progress.shards_done} shards embedded so far"
    share = progress.tokens_done / progress.tokens_total if progress.tokens_total else 1.0
    text = (
        f"{progress.state}: {share:.0%} of {progress.tokens_total:,} tokens, "
        f"{progress.shards_done}/{progress.shards_total} shards"
    )
    if progress.shards_quarantined:
        text += f", {progress.shards_quarantined} quarantined"
    if rate is not None and progress.state == JobState.EMBEDDING:
        text += f", {rate[0]:,.0f} tokens/s, {clock_text(rate[1])} left"
    return text


def clock_text(seconds: float) -> str:
    """`h:mm:ss` or `m:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def follow(
    app: Celery,
    job: Job,
    *,
    lease_seconds: float,
    quiet: bool = False,
    check: Callable[[], None] | None = None,
) -> Progress:
    """Show progress on standard error until the job is final; returns the last snapshot.

    `check` is called with every snapshot and may raise to end the waiting.
    """
    terminal = sys.stderr.isatty() and not quiet
    rate, shown_at, shown_state = Rate(), float("-inf"), None
    progress = None
    for progress in wait_for(app, job, lease_seconds=lease_seconds):
        line = describe(progress, rate.measure(progress))
        if check is not None and not progress.is_final:
            check()
        if terminal:
            sys.stderr.write(f"\r\x1b[2K{_bar(progress)} {line}")
            sys.stderr.flush()
        elif not quiet and (progress.state != shown_state or time.monotonic() - shown_at > PLAIN_LINE_SECONDS):
            say(line)
            shown_at, shown_state = time.monotonic(), progress.state
    assert progress is not None, "waiting yields at least one snapshot"
    if terminal:
        sys.stderr.write("\n")
    if progress.message:
        say(progress.message, quiet=quiet)
    return progress


def _bar(progress: Progress) -> str:
    share = (progress.tokens_done or 0) / progress.tokens_total if progress.tokens_total else 0.0
    filled = round(share * BAR_CHARACTERS)
    return f"[{'#' * filled}{'.' * (BAR_CHARACTERS - filled)}]"

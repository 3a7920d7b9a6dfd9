"""Speed of a job and the time that is left, measured over a sliding window of its snapshots."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from virnucpro_tasks.jobs.progress import JobState, Progress

SHORTEST_WINDOW_SECONDS = 30.0
LONGEST_WINDOW_SECONDS = 120.0
WINDOW_SHARE = 0.25
"""The window is this part of the time since the first tokens, within its limits: a job of hours has a steady estimate,
and one whose workers come or go has a new one within two minutes."""

LEAST_SECONDS = 3.0
LEAST_CHANGES = 2
"""Below these a measurement means nothing."""

GRACE = 1.5
"""Counts change in steps. Only what a step takes beyond so many of the longest step in the window counts as a delay."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens embedded in a second, and the seconds until the rest of them are."""

    tokens_per_second: float
    seconds_left: float


class RateMeter:
    """Measures the rate from the first tokens on: before them models load, which says nothing about the speed."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changes: deque[tuple[float, int]] = deque()
        """Time and number of tokens of the first snapshot, which the first change replaces, and of each change."""
        self._began_at: float | None = None

    def measure(self, progress: Progress) -> Rate | None:
        """The rate up to this snapshot; None as long as it is not known."""
        if progress.state is not JobState.EMBEDDING or progress.tokens_done is None or progress.tokens_total is None:
            return None
        now, done = self._clock(), progress.tokens_done
        if not self._changes or done < self._changes[-1][1]:
            self._changes, self._began_at = deque([(now, done)]), None
        elif done > self._changes[-1][1]:
            if self._began_at is None:
                self._began_at = now
                self._changes.clear()
            self._changes.append((now, done))
        if self._began_at is None:
            return None
        window = min(LONGEST_WINDOW_SECONDS, max(SHORTEST_WINDOW_SECONDS, WINDOW_SHARE * (now - self._began_at)))
        # Not by the present time: of a job that stands still, the last tokens are all that is known.
        last_at = self._changes[-1][0]
        while len(self._changes) > LEAST_CHANGES + 1 and self._changes[1][0] <= last_at - window:
            self._changes.popleft()
        return self._rate(now, progress.tokens_total)

    def _rate(self, now: float, tokens_total: int) -> Rate | None:
        (first_at, first), (last_at, last) = self._changes[0], self._changes[-1]
        if len(self._changes) <= LEAST_CHANGES or last_at - first_at < LEAST_SECONDS:
            return None
        times = [at for at, _ in self._changes]
        step = GRACE * max(after - before for before, after in pairwise(times))
        since = now - last_at
        rate = (last - first) / (last_at - first_at + max(0.0, since - step))
        return Rate(rate, max(0.0, (tokens_total - last) / rate - min(since, step)))

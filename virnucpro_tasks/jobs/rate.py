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
        return rate_of(self._changes, began_at=self._began_at, now=now, tokens_total=progress.tokens_total)


def rate_of(changes: deque[tuple[float, int]], *, began_at: float, now: float, tokens_total: int) -> Rate | None:
    """The rate by the times at which so many tokens were done, oldest first; those before the window are removed."""
    window = min(LONGEST_WINDOW_SECONDS, max(SHORTEST_WINDOW_SECONDS, WINDOW_SHARE * (now - began_at)))
    # Not by the present time: of a job that stands still, the last tokens are all that is known.
    last_at = changes[-1][0]
    while len(changes) > LEAST_CHANGES + 1 and changes[1][0] <= last_at - window:
        changes.popleft()
    (first_at, first), (last_at, last) = changes[0], changes[-1]
    if len(changes) <= LEAST_CHANGES or last_at - first_at < LEAST_SECONDS or last == first:
        return None
    step = GRACE * max(after - before for (before, _), (after, _) in pairwise(changes))
    since = max(0.0, now - last_at)
    rate = (last - first) / (last_at - first_at + max(0.0, since - step))
    return Rate(rate, max(0.0, (tokens_total - last) / rate - min(since, step)))

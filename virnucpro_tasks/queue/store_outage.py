"""Decides from the failures of the store in a row how long a worker waits and when the job ends; no clock, no Redis.

Failures are counted by worker, and what ends a job is the time that they take, so a hiccup of the store is as harmless
to a hundred workers as to one.
"""

from __future__ import annotations

import msgspec

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
"""A worker that fails again and again waits twice as long each time, up to this. Meanwhile it serves no other job."""

LONGEST_GAP_SECONDS = 120.0
"""As much of the time between two failures counts: before the second one the store may have been well, or nobody may
have tried."""

ONE_SHOT_TIMES = 3
ONE_SHOT_SECONDS = 1.0
ONE_SHOT_PASSING_SECONDS = 90.0
"""In a one-shot run, whose user waits, a job ends when one worker has failed so often and the store for so long; the
third is for errors that may pass by themselves, as those of a network."""


class Outage(msgspec.Struct, frozen=True):
    """The failures of one job since the last success of any worker.

    `seconds` is the time that they have taken, `last` the time of the last one, `times` their number by worker.
    `message` is for users; `ended` says that the job has ended and its folder cannot say so.
    """

    seconds: float
    last: float
    times: dict[str, int]
    message: str = ""
    ended: bool = False

    @property
    def total(self) -> int:
        return sum(self.times.values())


def with_failure(outage: Outage | None, worker: str, *, now: float) -> Outage:
    """Return `outage` with one more failure of `worker` at the time `now`; None is a job that had none."""
    if outage is None:
        return Outage(seconds=0.0, last=now, times={worker: 1})
    # Clocks of Redis may be set back.
    gap = min(max(0.0, now - outage.last), LONGEST_GAP_SECONDS)
    times = outage.times | {worker: outage.times.get(worker, 0) + 1}
    return Outage(seconds=outage.seconds + gap, last=max(now, outage.last), times=times)


def pause_seconds(times: int) -> float:
    """Return how long a worker waits after so many failures of its own (1 or more)."""
    return float(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(times - 1, 16)))


def has_lasted(outage: Outage, *, limit_seconds: float, held: int) -> bool:
    """Return whether the job is to end: the store has failed for `limit_seconds`, and no worker may still succeed.

    `held` is the number of the job's messages that workers hold. If it is larger than that of the workers that have
    failed, one of them has not: its shard may take longer than the limit.
    """
    return outage.seconds >= limit_seconds and held <= len(outage.times)


def has_lasted_in_one_shot(outage: Outage, worker: str, *, may_pass: bool) -> bool:
    """Return whether a job of a one-shot run is to end after a failure of `worker` that may or may not pass."""
    limit = ONE_SHOT_PASSING_SECONDS if may_pass else ONE_SHOT_SECONDS
    return outage.times.get(worker, 0) >= ONE_SHOT_TIMES and outage.seconds >= limit

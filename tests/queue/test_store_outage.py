"""Hiccups of the store, played through by a model: simulated workers and clock, and the decisions of the code."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from virnucpro_tasks.queue.store_outage import (
    LONGEST_PAUSE_SECONDS,
    ONE_SHOT_PASSING_SECONDS,
    Outage,
    has_lasted,
    has_lasted_in_one_shot,
    pause_seconds,
    with_failure,
)

LIMIT_SECONDS = 600.0
SHARD_SECONDS = 5.0
BEGINS_AT = 7.0


@dataclass
class Model:
    """Workers that take shards from one queue; `works(worker, time)` says whether the store does,
    and `begins`, if that differs, whether it takes the note with which an attempt begins."""

    workers: int
    shards: int
    works: Callable[[int, float], bool]
    shard_seconds: Callable[[int], float] = lambda worker: SHARD_SECONDS
    begins: Callable[[int, float], bool] | None = None
    done_at: list[float] = field(default_factory=list)
    failures: int = 0
    ended_at: float | None = None
    outage: Outage | None = None

    def run(self, *, until: float = 100_000.0) -> Model:
        """Play until the shards are done, the job has ended, or the time is over."""
        waiting = self.shards
        holding: set[int] = set()
        idle: list[int] = []
        events = [(worker * 0.01, worker, "take") for worker in range(self.workers)]
        heapq.heapify(events)
        while events and self.ended_at is None:
            now, worker, what = heapq.heappop(events)
            if now > until:
                break
            if what == "take":
                if waiting == 0:
                    idle.append(worker)
                    continue
                waiting -= 1
                holding.add(worker)
                if (self.begins or self.works)(worker, now):
                    heapq.heappush(events, (now + self.shard_seconds(worker), worker, "write"))
                    continue
            if what == "back":
                holding.discard(worker)
                waiting += 1
                if idle:
                    heapq.heappush(events, (now, idle.pop(0), "take"))
                heapq.heappush(events, (now + 0.01, worker, "take"))
            elif what == "write" and self.works(worker, now):
                self.outage = None
                holding.discard(worker)
                self.done_at.append(now)
                heapq.heappush(events, (now + 0.01, worker, "take"))
            else:
                self.failures += 1
                self.outage = with_failure(self.outage, str(worker), now=now)
                if has_lasted(self.outage, limit_seconds=LIMIT_SECONDS, held=len(holding)):
                    self.ended_at = now
                heapq.heappush(events, (now + pause_seconds(self.outage.times[str(worker)]), worker, "back"))
        return self


def away(seconds: float) -> Callable[[int, float], bool]:
    return lambda _, now: not BEGINS_AT <= now < BEGINS_AT + seconds


@pytest.mark.parametrize("seconds", [1.0, 10.0, 60.0, 500.0])
@pytest.mark.parametrize("workers", [1, 12, 32, 200])
def test_a_hiccup_ends_no_job_however_many_workers_there_are(workers: int, seconds: float) -> None:
    model = Model(workers, 4 * workers, away(seconds)).run()
    assert model.ended_at is None and len(model.done_at) == 4 * workers
    # And the work goes on soon after it
    assert min(at for at in model.done_at if at >= BEGINS_AT + seconds) <= (
        BEGINS_AT + seconds + LONGEST_PAUSE_SECONDS + SHARD_SECONDS + 1
    )
    # And the store is not hammered meanwhile
    assert model.failures <= workers * (5 + seconds / LONGEST_PAUSE_SECONDS)


@pytest.mark.parametrize("workers", [1, 12, 32])
def test_a_store_that_stays_away_ends_the_job_at_the_limit_however_many_workers_there_are(workers: int) -> None:
    model = Model(workers, 4 * workers, away(5_000)).run()
    assert model.ended_at is not None
    assert LIMIT_SECONDS <= model.ended_at - BEGINS_AT <= LIMIT_SECONDS + LONGEST_PAUSE_SECONDS + SHARD_SECONDS + 1


def test_so_does_one_that_takes_notes_but_no_vectors() -> None:
    model = Model(8, 100, lambda _, now: False, shard_seconds=lambda _: 400.0, begins=lambda *_: True).run()
    assert model.ended_at is not None and len(model.done_at) == 0


@pytest.mark.parametrize("shard_seconds", [5.0, 3_000.0])
def test_a_worker_whose_mount_is_broken_ends_no_job_of_the_others(shard_seconds: float) -> None:
    model = Model(3, 30, lambda worker, _: worker != 0, shard_seconds=lambda _: shard_seconds)
    model.run(until=200_000)
    assert model.ended_at is None and len(model.done_at) == 30


def test_time_in_which_nobody_tried_does_not_count() -> None:
    outage = with_failure(None, "a", now=0.0)
    outage = with_failure(outage, "a", now=86_400.0)
    assert not has_lasted(outage, limit_seconds=LIMIT_SECONDS, held=1)


def test_a_clock_that_is_set_back_takes_nothing_away() -> None:
    outage = with_failure(with_failure(with_failure(None, "a", now=100.0), "a", now=110.0), "a", now=50.0)
    assert (outage.seconds, outage.last, outage.total) == (10.0, 110.0, 3)


@pytest.mark.parametrize(
    ("may_pass", "workers", "seconds"), [(False, 1, 3.0), (False, 32, 3.0), (True, 32, ONE_SHOT_PASSING_SECONDS)]
)
def test_a_one_shot_run_ends_by_time_too(may_pass: bool, workers: int, seconds: float) -> None:
    outage, now = None, 0.0
    while True:
        for worker in map(str, range(workers)):
            outage = with_failure(outage, worker, now=now)
            if has_lasted_in_one_shot(outage, worker, may_pass=may_pass):
                assert seconds <= now <= seconds + LONGEST_PAUSE_SECONDS
                return
        now += pause_seconds(outage.times["0"])

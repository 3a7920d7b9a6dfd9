from __future__ import annotations

from collections.abc import Iterator

import pytest
from cli.snapshots import TOKENS, split, unsplit

from virnucpro_tasks.jobs.progress import JobState
from virnucpro_tasks.jobs.rate import Rate, RateMeter


class Run:
    """A job that is looked at twice a second."""

    def __init__(self) -> None:
        self.now, self.done = 100.0, 0.0
        self.meter = RateMeter(clock=lambda: self.now)

    def look(self) -> Rate | None:
        return self.meter.measure(split(JobState.EMBEDDING, shards_done=0, tokens_done=round(self.done)))

    def last(self, seconds: float, speed: float, *, step_seconds: float = 1.0) -> Iterator[Rate | None]:
        """What is measured during so many seconds at a speed in tokens a second, whose counts change in steps."""
        begun, base = self.now, self.done
        while self.now < begun + seconds:
            self.now += 0.5
            self.done = base + speed * ((self.now - begun) // step_seconds * step_seconds)
            yield self.look()


def left(rate: Rate | None) -> float:
    assert rate is not None
    return rate.seconds_left


def test_nothing_is_said_before_it_means_something() -> None:
    run = Run()
    assert run.meter.measure(unsplit(JobState.SPLITTING)) is None
    # While models load, and in the first seconds after
    assert set(run.last(300, 0)) == {None}
    assert set(run.last(3, 1_000)) == {None}
    first = list(run.last(3, 1_000))[-1]
    assert first is not None
    # The time of loading does not count
    assert first.tokens_per_second == pytest.approx(1_000)
    assert first.seconds_left == pytest.approx((TOKENS - run.done) / 1_000, abs=1)


def test_the_speed_of_other_stages_is_not_told() -> None:
    run = Run()
    list(run.last(30, 1_000))
    assert run.meter.measure(split(JobState.FINISHING, shards_done=31, tokens_done=TOKENS)) is None


@pytest.mark.parametrize("step_seconds", [0.5, 1, 7, 20])
def test_the_time_left_falls_evenly_however_large_the_steps(step_seconds: float) -> None:
    run = Run()
    begun = run.now
    for rate in run.last(300, 1_000, step_seconds=step_seconds):
        if run.now - begun > 3 * step_seconds + 5:
            assert left(rate) == pytest.approx(TOKENS / 1_000 - (run.now - begun), abs=0.1)


@pytest.mark.parametrize("speed", [4_000, 250])
def test_workers_that_come_or_go_count_within_two_minutes(speed: float) -> None:
    run = Run()
    list(run.last(200, 1_000))
    after = list(run.last(120, speed))
    assert after[-1] is not None and after[-1].tokens_per_second == pytest.approx(speed, rel=0.05)


def test_a_job_that_stands_still_gets_slower_and_no_nearer() -> None:
    run = Run()
    before = list(run.last(60, 1_000))[-1]
    after = list(run.last(60, 0))[-1]
    assert left(after) > 1.5 * left(before)


def test_tokens_that_are_lost_start_the_measurement_anew() -> None:
    run = Run()
    list(run.last(60, 1_000))
    run.done = 5_000
    assert run.look() is None
    assert list(run.last(10, 500))[-1] is not None

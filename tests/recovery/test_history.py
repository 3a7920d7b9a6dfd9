from __future__ import annotations

import pytest

from virnucpro_tasks.recovery.events import (
    Began,
    Event,
    Failed,
    FailedOutside,
    HandedBack,
    Passed,
    RecordsAtFault,
    StoreFailed,
)
from virnucpro_tasks.recovery.history import LOST_WORKERS, History

BEGAN = Began(probe="0-4")


@pytest.mark.parametrize(
    "end",
    [
        HandedBack(probe="0-4"),
        Passed(probe="0-4"),
        StoreFailed(probe="0-4", reason="full"),
        RecordsAtFault(probe="0-4", reason="NaN", culprits=(2,)),
    ],
)
def test_an_attempt_that_is_excused_does_not_count(end: Event) -> None:
    history = History.of([BEGAN, end])
    assert (history.tries("0-4"), history.weight("0-4")) == (0, 0)


def test_failures_weigh_one_and_lost_workers_a_third() -> None:
    lost = History.of([BEGAN] * 5)
    assert (lost.tries("0-4"), lost.weight("0-4"), lost.verdict("0-4")) == (5, 1, f"5 attempts: {LOST_WORKERS}")
    failed = History.of([BEGAN, Failed(probe="0-4", reason="broken")] * 2)
    assert (failed.tries("0-4"), failed.weight("0-4"), failed.verdict("0-4")) == (2, 2, "2 attempts: broken")


def test_a_failure_outside_blames_no_probe() -> None:
    history = History.of([FailedOutside(probe="", reason="no bundle")])
    assert history.failed_outside == 1
    assert not history.begun and not history.failures

"""When a worker that dies again and again is given up."""

from __future__ import annotations

import pytest
from virnucpro_workers.deaths import Deaths, Policy, one_shot_policy

ONE_SHOT = one_shot_policy(stop_seconds=1)


def died(
    deaths: Deaths, policy: Policy = ONE_SHOT, *, ready_seconds: float | None = None, is_working: bool = False
) -> str:
    """Count a death soon after the start; returns why the worker is given up."""
    lived_seconds = 2 + (ready_seconds or 0)
    deaths.died(lived_seconds=lived_seconds, ready_seconds=ready_seconds, is_working=is_working, policy=policy)
    return deaths.reason_to_give_up(policy)


def test_three_deaths_before_it_is_ready_are_enough() -> None:
    deaths = Deaths()
    assert [died(deaths) for _ in range(3)] == ["", "", "3 times in a row before it was ready"]


def test_a_worker_that_gets_ready_in_between_has_more_chances() -> None:
    deaths = Deaths()
    for _ in range(5):
        assert died(deaths, ready_seconds=1) == ""
    assert died(deaths, ready_seconds=1) == "6 times in a row while it had nothing to compute"


def test_a_worker_that_never_finishes_a_task_is_given_up_late() -> None:
    deaths = Deaths()
    given_up = [died(deaths, ready_seconds=5, is_working=True) for _ in range(12)]
    assert given_up == [""] * 11 + ["12 times in a row without having finished a task"]


def test_a_kill_now_and_then_does_not_count() -> None:
    deaths = Deaths()
    for _ in range(1_000):
        assert died(deaths, ready_seconds=5, is_working=True) == ""
        deaths.ready()
        deaths.worked()


def test_long_shards_are_not_finished_between_deaths_and_yet_no_reason() -> None:
    deaths = Deaths()
    assert {died(deaths, ready_seconds=3_600, is_working=True) for _ in range(100)} == {""}


def test_a_deployment_never_gives_up() -> None:
    deaths, policy = Deaths(), Policy(stop_seconds=1)
    assert {died(deaths, policy) for _ in range(1_000)} == {""}
    assert policy.delay_seconds(deaths.in_a_row) == 60


@pytest.mark.parametrize(("deaths", "seconds"), [(1, 1), (2, 2), (4, 8), (5, 10), (12, 10)])
def test_somebody_waits_for_a_one_shot_run(deaths: int, seconds: float) -> None:
    assert ONE_SHOT.delay_seconds(deaths) == seconds

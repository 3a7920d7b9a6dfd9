from __future__ import annotations

import threading
from errno import EROFS
from pathlib import Path

import pytest

from virnucpro_tasks.diagnosis.deployment import Deployment
from virnucpro_tasks.diagnosis.finding import Finding, Outcome, Status, worst
from virnucpro_tasks.diagnosis.run import Check, run_check
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.queue.app import make_app
from virnucpro_tasks.settings import Settings


@pytest.fixture
def deployment(settings: Settings) -> Deployment:
    return Deployment(settings, make_app)


@pytest.mark.parametrize(
    ("error", "detail", "advice"),
    [
        (InputError("is bad\x1b[2J", file="a.fasta", hint="mend it"), r"a.fasta: is bad\x1b[2J", "mend it"),
        (OSError(EROFS, "", "/store/x"), "/store/x: Read-only file system", None),
        (RuntimeError("of a driver"), "unexpected RuntimeError: of a driver", None),
    ],
)
def test_whatever_a_check_raises_is_its_finding(
    error: Exception, detail: str, advice: str | None, deployment: Deployment
) -> None:
    def fail(_: Deployment) -> Outcome:
        raise error

    for check in (Check(fail), Check(fail, may_take_long=True)):
        finding = run_check("one", check, deployment)
        assert finding.prevents_jobs and finding.outcome.detail == detail
        assert finding.outcome.advice == advice if advice else finding.outcome.advice
    assert not run_check("one", Check(fail, needed=False), deployment).prevents_jobs


def test_a_check_that_hangs_is_left_behind(deployment: Deployment) -> None:
    let_go = threading.Event()

    def hang(_: Deployment) -> Outcome:
        let_go.wait()
        return Outcome("late")

    finding = run_check("one", Check(hang), deployment, most_seconds=0.01)
    let_go.set()
    assert finding.status is Status.FAILED and "no answer within" in finding.outcome.detail


def test_several_outcomes_are_as_bad_as_the_worst() -> None:
    one = worst([Outcome("a"), Outcome("b", Status.WARNING, "do", {"x": 1}), Outcome("c", Status.OK, "", {"y": 2})])
    assert one == Outcome("a; b; c", Status.WARNING, "do", {"x": 1, "y": 2})
    assert Finding("check", one).as_dict()["ok"]


def test_redis_that_is_away_is_asked_once(settings: Settings, tmp_path: Path) -> None:
    deployment = Deployment(Settings(store=tmp_path, broker_url="redis://127.0.0.1:1/0"), make_app)
    assert deployment.redis_error is deployment.redis_error is not None

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cli.snapshots import TOKENS, split, unsplit

from virnucpro_tasks.cli import follow as module
from virnucpro_tasks.cli.follow import follow, require_end
from virnucpro_tasks.errors import BackendError, ExitCode, WaitedLongEnoughError
from virnucpro_tasks.jobs.progress import JobState, Wait
from virnucpro_tasks.system import interruption

SNAPSHOTS = [
    unsplit(JobState.QUEUED),
    split(JobState.EMBEDDING, shards_done=3, tokens_done=123_456),
    split(JobState.DONE, shards_done=31, tokens_done=TOKENS, message="1 record is viral\nwarning: one is short"),
]
APP, JOB = cast(Any, SimpleNamespace()), cast(Any, SimpleNamespace())


@pytest.fixture(autouse=True)
def snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "wait_for", lambda *_, **__: iter(SNAPSHOTS))


def test_it_shows_progress_and_then_the_message(capsys: pytest.CaptureFixture) -> None:
    assert follow(APP, JOB, lease_seconds=1) == SNAPSHOTS[-1]
    assert capsys.readouterr().err.splitlines() == [
        "queued",
        "embedding: 10% of 1,234,567 tokens, 3/31 shards",
        "done: 100% of 1,234,567 tokens, 31/31 shards",
        "1 record is viral",
        "warning: one is short",
    ]


def test_an_interruption_that_was_lost_elsewhere_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "_received", [KeyboardInterrupt("SIGTERM")])
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        follow(APP, JOB, lease_seconds=1)


def test_quiet_says_nothing(capsys: pytest.CaptureFixture) -> None:
    assert follow(APP, JOB, lease_seconds=1, quiet=True) == SNAPSHOTS[-1]
    assert capsys.readouterr() == ("", "")


def test_the_check_is_made_until_the_job_is_final_and_may_end_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    follow(APP, JOB, lease_seconds=1, quiet=True, check=lambda: calls.append(1))
    assert len(calls) == 2

    def stopped() -> None:
        raise BackendError("the workers have stopped")

    with pytest.raises(BackendError):
        follow(APP, JOB, lease_seconds=1, check=stopped)
    final = [replace(SNAPSHOTS[-1], state=JobState.FAILED)]
    monkeypatch.setattr(module, "wait_for", lambda *_, **__: iter(final))
    assert follow(APP, JOB, lease_seconds=1, check=stopped) == final[0]


def test_what_the_job_waits_for_and_the_news_are_shown(capsys: pytest.CaptureFixture) -> None:
    follow(
        APP,
        JOB,
        lease_seconds=1,
        wait=lambda progress: None if progress.is_final else Wait("loading models"),
        news=lambda progress: [f"news of {progress.state}"],
    )
    assert capsys.readouterr().err.splitlines()[:3] == [
        "queued, loading models",
        "news of queued",
        "embedding: 10% of 1,234,567 tokens, 3/31 shards, loading models",
    ]


def test_a_trouble_of_the_store_is_told_when_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    troubles = [replace(SNAPSHOTS[0], message=f"the store is full, {times} times") for times in (1, 2, 3)]
    monkeypatch.setattr(module, "wait_for", lambda *_, **__: iter([*troubles, *SNAPSHOTS[1:]]))
    follow(APP, JOB, lease_seconds=1)
    assert capsys.readouterr().err.count("warning: the store is full, ") == 1


def test_the_waiting_ends_when_its_time_is_over_and_the_job_has_not_ended() -> None:
    last = follow(APP, JOB, lease_seconds=1, timeout_seconds=1e-9)
    assert (last.state, last.exit_code) == (JobState.QUEUED, ExitCode.TIMED_OUT)
    with pytest.raises(WaitedLongEnoughError, match=r"job job: it is queued after 600 s, and goes on \(look again\)"):
        require_end(last, timeout_seconds=600, hint="look again")
    ended = follow(APP, JOB, lease_seconds=1, timeout_seconds=60)
    assert ended == SNAPSHOTS[-1]
    require_end(ended, timeout_seconds=60, hint="")


def test_the_last_news_are_told_when_the_time_is_over(capsys: pytest.CaptureFixture) -> None:
    last_news = lambda progress: [f"nobody takes what is {progress.state}"]  # noqa: E731
    follow(APP, JOB, lease_seconds=1, timeout_seconds=1e-9, last_news=last_news)
    assert capsys.readouterr().err.splitlines() == ["queued", "nobody takes what is queued"]
    follow(APP, JOB, lease_seconds=1, timeout_seconds=60, last_news=last_news)
    assert "nobody takes" not in capsys.readouterr().err

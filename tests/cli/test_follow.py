from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cli.snapshots import TOKENS, split, unsplit

from virnucpro_tasks.cli import follow as module
from virnucpro_tasks.cli.follow import follow
from virnucpro_tasks.errors import BackendError
from virnucpro_tasks.jobs.progress import JobState
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
        "queued, 0 shards embedded so far",
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

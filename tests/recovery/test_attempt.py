from __future__ import annotations

import errno
from pathlib import Path

import pytest

from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.recovery.attempt import (
    RecordsAtFaultError,
    end_lost_attempt,
    record_failure_outside,
    recorded_attempt,
)
from virnucpro_tasks.recovery.events import (
    Began,
    Event,
    Failed,
    FailedOutside,
    HandedBack,
    Passed,
    RecordsAtFault,
    StoreFailed,
    append_event,
    read_events,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "000000.jsonl"


def attempt(file: Path, error: BaseException | None = None) -> Event | None:
    with recorded_attempt(file, "whole", limit_seconds=5, device="gpu0", message="tag") as made:
        (began,) = read_events(file)[-1:]
        assert isinstance(began, Began) and (began.device, began.message, began.limit_seconds) == ("gpu0", "tag", 5)
        assert made.began_at == file.stat().st_size
        if error is not None:
            raise error
    assert read_events(file)[-1] == made.ended
    assert made.error is error
    return made.ended


def test_an_attempt_that_comes_to_its_end_has_passed(file: Path) -> None:
    assert isinstance(attempt(file), Passed)


def test_an_error_becomes_one_event_and_is_not_raised(file: Path) -> None:
    ended = attempt(file, MemoryError("no memory"))
    assert isinstance(ended, Failed) and ended.reason == "MemoryError: no memory"
    ended = attempt(file, RecordsAtFaultError("NaN", [3, 5]))
    assert isinstance(ended, RecordsAtFault) and (ended.reason, ended.culprits) == ("NaN", (3, 5))
    assert len(read_events(file)) == 4


def test_a_failing_store_is_recorded_and_raised(file: Path) -> None:
    with pytest.raises(StoreError, match="No space left"), recorded_attempt(file, "whole", limit_seconds=5):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert isinstance(read_events(file)[-1], StoreFailed)


def test_an_attempt_that_cannot_be_recorded_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("virnucpro_tasks.recovery.attempt.append_event", full)
    with pytest.raises(StoreError), recorded_attempt(tmp_path / "file", "whole", limit_seconds=5):
        pytest.fail("begun")


def test_an_attempt_can_be_handed_back(file: Path) -> None:
    with recorded_attempt(file, "whole", limit_seconds=5) as made:
        made.hand_back()
    assert isinstance(read_events(file)[-1], HandedBack)


def test_the_end_of_the_process_is_left_to_its_parent(file: Path) -> None:
    with pytest.raises(SystemExit), recorded_attempt(file, "whole", limit_seconds=5):
        raise SystemExit
    assert [type(event) for event in read_events(file)] == [Began]


def test_a_parent_ends_the_attempt_of_its_lost_child_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 7)
    append_event(file, Began(probe="0-4", parent=7, pid=11, limit_seconds=60))
    end_lost_attempt(file, lambda began: f"lost within {began.limit_seconds:g} s")
    ended = read_events(file)[-1]
    assert isinstance(ended, Failed) and (ended.probe, ended.pid, ended.reason) == ("0-4", 11, "lost within 60 s")
    end_lost_attempt(file, None)
    assert len(read_events(file)) == 2
    append_event(file, Began(probe="0-4", parent=7, pid=12))
    end_lost_attempt(file, None)
    assert isinstance(read_events(file)[-1], HandedBack)


def test_a_failure_outside_is_an_event_of_its_own(file: Path) -> None:
    record_failure_outside(file, "no bundle")
    (event,) = read_events(file)
    assert isinstance(event, FailedOutside) and event.reason == "no bundle"

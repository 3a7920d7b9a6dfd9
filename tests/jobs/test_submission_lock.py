from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from virnucpro_tasks.jobs import submission_lock as module
from virnucpro_tasks.jobs.submission_lock import submission_lock

NO_FLOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@pytest.fixture(params=[None, *NO_FLOCK], ids=lambda number: errno.errorcode.get(number, "flock"))
def note(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A note of a submission, with and without locks of the system."""

    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    if request.param is not None:
        monkeypatch.setattr(fcntl, "flock", refuse)
    return tmp_path / "submissions" / "key"


def together(number: int, function: Callable[[], None]) -> None:
    threads = [threading.Thread(target=function) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_one_at_a_time_has_it_and_nothing_is_left(note: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def hold() -> None:
        with submission_lock(note):
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.01)
            inside.pop()

    together(8, hold)
    assert most == [1] * 8
    assert [file.name for file in note.parent.iterdir()] == ["key"]


def test_nobody_is_waited_for_without_end(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    with submission_lock(note), submission_lock(note):
        note.write_text("found")
    assert note.read_text() == "found"


def test_a_lock_that_a_killed_process_left_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    left = tmp_path / "key.lock"
    left.write_text("another host 7 0123abcd\n")
    with submission_lock(tmp_path / "key"):
        assert left.read_text() != "another host 7 0123abcd\n"
    assert not left.exists()


def test_a_note_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "submissions").write_bytes(b"")
    with pytest.raises(FileExistsError), submission_lock(tmp_path / "submissions" / "key"):
        pass

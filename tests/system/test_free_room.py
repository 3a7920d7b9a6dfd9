from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from virnucpro_tasks.system.free_room import FreeRoom, free_room


def test_the_room_of_a_folder(tmp_path: Path) -> None:
    found = free_room(tmp_path)
    assert (found.folder, found.error) == (str(tmp_path), "") and (found.free_bytes or 0) > 0


def test_a_folder_without_the_expected_file_or_that_is_missing_is_an_error(tmp_path: Path) -> None:
    assert free_room(tmp_path, expected="mark") == FreeRoom(str(tmp_path), error=f"there is no {tmp_path / 'mark'}")
    assert "there is no" in free_room(tmp_path / "absent").error


def test_a_mount_that_hangs_holds_one_thread_until_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked, ask = threading.Event(), [], os.statvfs
    monkeypatch.setattr(os, "statvfs", lambda place: (asked.append(place), answers.wait(30), ask(place))[2])
    assert {free_room(tmp_path, seconds=0.01).error for _ in range(3)} == {"it does not answer"}
    assert len(asked) == 1
    answers.set()
    assert free_room(tmp_path, seconds=30).error == ""

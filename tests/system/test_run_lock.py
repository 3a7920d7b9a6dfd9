"""One run in a folder, whoever else wants it, however it is spelled, and whatever became of the run before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from virnucpro_tasks.errors import ExitCode, OutputError, StoreError
from virnucpro_tasks.system import owners, run_lock
from virnucpro_tasks.system.run_lock import LOCK_NAME, STALE_SECONDS, RunLock, lock_files, make_folder

HOLDING = """
import sys, time
from pathlib import Path
from virnucpro_tasks.system.run_lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
ELSEWHERE = {"host": "elsewhere", "boot_id": "another", "is_flocked": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def other(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLDING, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is watched for longer than it takes to look twice."""
    monkeypatch.setattr(run_lock, "WATCH_SECONDS", 0.0)
    monkeypatch.setattr(owners, "_WRITTEN_SECONDS", 0.0)


def left_elsewhere(folder: Path, *, seconds_ago: float, number: int = 1, follows: str = "") -> Path:
    """The lock of a run on another host, renewed so long ago."""
    file = folder / f"{LOCK_NAME}{number}"
    mark = owners.Mark.create(file, follows=follows)
    file.write_text(json.dumps(json.loads(file.read_text()) | ELSEWHERE))
    mark.close()
    now = file.stat().st_mtime
    os.utime(file, (now - seconds_ago, now - seconds_ago))
    return file


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_second_run_is_refused_and_told_by_whom_and_what_to_do(folder: Path, other: subprocess.Popen[bytes]) -> None:
    with pytest.raises(OutputError) as refused, RunLock(folder):
        pass
    assert refused.value.exit_code == ExitCode.USAGE
    assert f"{folder} is in use by another run: process {other.pid} " in str(refused.value)
    assert "one for each task of an array" in str(refused.value) and "if it is gone" not in str(refused.value)


def test_nothing_is_left_of_a_lock_and_the_next_run_takes_it(folder: Path) -> None:
    for _ in range(2):
        with RunLock(folder) as lock:
            lock.check()
            assert names(folder) == [f"{LOCK_NAME}1"]
        assert names(folder) == []


@pytest.mark.parametrize("spelling", ["{}/", "{}/../out", "{}/../link", "{}/."])
def test_every_spelling_of_a_folder_is_the_same_folder(folder: Path, spelling: str) -> None:
    (folder.parent / "link").symlink_to(folder)
    with RunLock(folder), pytest.raises(OutputError, match="in use"), RunLock(Path(spelling.format(folder))):
        pass


def test_the_lock_of_a_killed_run_is_taken_over_at_once(folder: Path, other: subprocess.Popen[bytes]) -> None:
    other.kill()
    other.wait()
    assert names(folder) == [f"{LOCK_NAME}1"]
    with RunLock(folder) as lock:
        lock.check()
        with pytest.raises(OutputError, match=f"process {os.getpid()} "), RunLock(folder):
            pass
    assert names(folder) == []


def test_of_several_runs_exactly_one_takes_over(folder: Path, other: subprocess.Popen[bytes]) -> None:
    other.kill()
    other.wait()
    held: list[int] = []
    refused: list[int] = []
    begin, end = threading.Barrier(8), threading.Barrier(8)

    def contend(number: int) -> None:
        begin.wait()
        try:
            with RunLock(folder):
                held.append(number)
                end.wait()
        except OutputError:
            refused.append(number)
            end.wait()

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 7)
    assert names(folder) == []


def test_a_run_on_another_host_is_believed_while_it_renews_its_lock(folder: Path) -> None:
    left_elsewhere(folder, seconds_ago=STALE_SECONDS / 2)
    with pytest.raises(OutputError, match=r"on elsewhere.*if it is gone, repeat the command after 60 s"):
        RunLock(folder).__enter__()


@pytest.mark.parametrize("seconds_ago", [2 * STALE_SECONDS, -2 * STALE_SECONDS], ids=["past", "clock set back"])
def test_a_lock_of_another_host_that_is_not_renewed_is_watched_and_taken_over(folder: Path, seconds_ago: float) -> None:
    left_elsewhere(folder, seconds_ago=seconds_ago)
    said: list[str] = []
    with RunLock(folder, say=said.append) as lock:
        lock.check()
    assert len(said) == 1 and "on elsewhere" in said[0] and "watching it" in said[0]
    assert names(folder) == []


def test_a_lock_that_is_renewed_while_it_is_watched_is_not_taken_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = left_elsewhere(folder, seconds_ago=2 * STALE_SECONDS)
    monkeypatch.setattr(run_lock, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(run_lock.time, "sleep", lambda seconds: os.utime(file))
    with pytest.raises(OutputError, match="in use"), RunLock(folder):
        pass


def test_an_empty_lock_counts_like_one_of_another_host(folder: Path) -> None:
    file = folder / f"{LOCK_NAME}1"
    file.touch()
    with pytest.raises(OutputError, match="by another run: an unknown process"), RunLock(folder):
        pass
    os.utime(file, (1, 1))
    with RunLock(folder):
        pass
    assert names(folder) == []


def test_a_run_whose_lock_was_taken_over_learns_it_and_removes_nothing(folder: Path) -> None:
    with RunLock(folder) as lock:
        maker = owners.read_mark(folder / f"{LOCK_NAME}1").maker
        assert maker is not None
        left_elsewhere(folder, seconds_ago=0, number=2, follows=maker.token)
        with pytest.raises(OutputError, match="taken over by another run"):
            lock.check()
    assert names(folder) == [f"{LOCK_NAME}1", f"{LOCK_NAME}2"]


def test_a_run_that_came_too_late_to_take_over_disturbs_nobody(folder: Path) -> None:
    with RunLock(folder) as lock:
        # It has seen the lock of a run before this one, and has not looked again yet.
        left_elsewhere(folder, seconds_ago=0, number=2, follows="token of a lock that is gone")
        lock.check()


def test_a_run_whose_folder_was_removed_learns_it(folder: Path) -> None:
    with RunLock(folder) as lock:
        lock_files(folder)[0].unlink()
        folder.rmdir()
        with pytest.raises(OutputError, match="or removed"):
            lock.check()


def test_a_lock_left_by_a_run_killed_while_it_released_is_in_nobodys_way(
    folder: Path, other: subprocess.Popen[bytes]
) -> None:
    other.kill()
    other.wait()
    (folder / f"{LOCK_NAME}1").rename(folder / f"{LOCK_NAME}2")
    with RunLock(folder) as lock:
        lock.check()
        assert names(folder) == [f"{LOCK_NAME}1"]


def test_a_run_that_saw_a_lock_which_is_gone_meanwhile_begins_anew(
    folder: Path, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    other.kill()
    other.wait()
    create = owners.Mark.create
    quicker: list[RunLock] = []

    def create_later(file: Path, *, follows: str) -> owners.Mark:
        # Between the look at the stale lock and the next number, another run has come, gone, and come again.
        if file.name.endswith("2") and not quicker:
            quicker.append(RunLock(folder))
            (folder / f"{LOCK_NAME}1").unlink()
            quicker[0].__enter__()
        return create(file, follows=follows)

    monkeypatch.setattr(owners.Mark, "create", create_later)
    with pytest.raises(OutputError, match="in use"), RunLock(folder):
        pass
    quicker[0].check()
    quicker[0].__exit__(None, None, None)
    assert names(folder) == []


def test_a_folder_that_takes_no_lock_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: Path, *, follows: str) -> None:
        raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr(owners.Mark, "create", refuse)
    with pytest.raises(StoreError, match=r"out/.virnucpro-lock.1: No space left"), RunLock(folder):
        pass


def test_without_flock_a_lock_excludes_and_is_taken_over_all_the_same(
    folder: Path, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(owners.fcntl, "flock", refuse)
    with pytest.raises(OutputError, match="in use"), RunLock(folder):
        pass
    other.kill()
    other.wait()
    with RunLock(folder) as lock:
        lock.check()


def test_a_handle_that_is_stale_for_a_moment_does_not_lose_the_lock(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run_lock.read_mark
    stale: list[Path] = []

    def at_times_stale(file: Path) -> owners.Found:
        if len(stale) % 2 == 0:
            stale.append(file)
            raise OSError(116, "Stale file handle", str(file))
        stale.append(file)
        return real(file)

    monkeypatch.setattr(run_lock, "read_mark", at_times_stale)
    with RunLock(folder) as lock:
        lock.check()
        with pytest.raises(OutputError, match="in use"), RunLock(folder):
            pass
    assert names(folder) == [] and stale


def test_a_lock_that_is_there_and_cannot_be_read_is_not_waited_for_without_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unseen(file: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(file))

    (folder / f"{LOCK_NAME}1").touch()
    monkeypatch.setattr(run_lock, "read_mark", unseen)
    monkeypatch.setattr(run_lock, "TRY_SECONDS", 0)
    with pytest.raises(OutputError, match="again and again"), RunLock(folder):
        pass


def test_a_relative_folder_in_a_current_folder_that_was_removed_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(OutputError, match="the current folder was removed: go to another one, or give whole paths"):
        make_folder(Path("out"))

"""What a file system lacks is found out by trying, and named with what it means."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.jobs import store_check
from virnucpro_tasks.jobs.store_check import shortcomings


def refuse(*_: Any, **__: Any) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


def test_a_good_file_system_lacks_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    assert shortcomings(tmp_path / "new" / "store") == []
    assert list((tmp_path / "new" / "store").iterdir()) == []


@pytest.mark.parametrize(
    ("where", "name", "what"),
    [
        (fcntl, "flock", "no locks (flock)"),
        (os, "fsync", "no fsync of files and folders"),
        (os, "link", "no hard links"),
        (Path, "chmod", "no changes of modes (chmod)"),
        (mmap, "mmap", "no files in memory (mmap)"),
    ],
)
def test_what_is_refused_is_named(
    where: Any, name: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, name, refuse)
    (found,) = shortcomings(tmp_path)
    assert found.what == what and str(found).startswith(f"{what}: ")
    assert list(tmp_path.iterdir()) == []


def test_locks_that_hold_nothing_and_modes_that_do_not_change_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    assert [found.what for found in shortcomings(tmp_path)] == ["no locks (flock)", "no changes of modes (chmod)"]


def opening(change: Callable[[Path, str], tuple[Path, str]]) -> Callable[..., Any]:
    """`Path.open` with another path or mode."""
    real = Path.open

    def changed(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        path, mode = change(path, mode)
        return real(path, mode, *arguments, **options)

    return changed


def test_a_file_that_can_be_created_twice_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", opening(lambda path, mode: (path, mode.replace("x", "w"))))
    assert [found.what for found in shortcomings(tmp_path)] == ["no exclusive creation of files"]


def test_names_that_differ_in_case_alone_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.name == "nAME" or exists(path))
    assert [found.what for found in shortcomings(tmp_path)] == ["no difference between A and a in names"]


@pytest.mark.parametrize(("seconds", "direction"), [(60, "behind"), (-60, "ahead")])
def test_another_time_on_the_server_is_told(
    seconds: int, direction: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = store_check.time.time
    monkeypatch.setattr(store_check.time, "time", lambda: now() + seconds)
    (found,) = shortcomings(tmp_path)
    assert f"60 s {direction}" in found.what


def test_few_inodes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = type("Found", (), {"f_files": 10_000, "f_favail": 12})
    monkeypatch.setattr(os, "statvfs", lambda _: numbers)
    (found,) = shortcomings(tmp_path)
    assert found.what == "only 12 inodes left"


def test_a_file_system_that_gives_back_other_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: real(path)[:-1])
    with pytest.raises(StoreError, match="not what was written") as raised:
        shortcomings(tmp_path)
    assert "another file system" in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_that_loses_what_is_appended_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", opening(lambda path, mode: (path, mode.replace("a", "w"))))
    with pytest.raises(StoreError, match="appended"):
        shortcomings(tmp_path)


def test_a_store_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    with pytest.raises(OSError, match="store"):
        shortcomings(tmp_path / "store")

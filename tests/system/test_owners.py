"""Who made a file, and whether that process still runs, from every place that may ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from virnucpro_tasks.system import owners
from virnucpro_tasks.system.owners import (
    Life,
    Maker,
    Mark,
    life_of_name,
    read_mark,
    temporary_name,
    this_maker,
    this_place,
)

WAITING = """
import sys, time
from pathlib import Path
from virnucpro_tasks.system.owners import Mark, temporary_name
mark = Mark.create(Path(sys.argv[1]))
print(temporary_name("file"), flush=True)
time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has made `mark` and tells a temporary name of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(tmp_path / "mark")], stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def changed(file: Path, **facts: object) -> None:
    """Change what a mark says of its maker."""
    file.write_text(json.dumps(json.loads(file.read_text()) | facts))


def test_a_maker_that_runs_is_told_from_one_that_was_killed(other: subprocess.Popen[str], tmp_path: Path) -> None:
    name = said(other)
    assert read_mark(tmp_path / "mark").life is Life.RUNNING
    assert life_of_name(name) is Life.RUNNING
    other.kill()
    # It has ended but is not collected: it runs no more.
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert read_mark(tmp_path / "mark").life is Life.GONE
    assert life_of_name(name) is Life.GONE


def test_a_later_process_with_the_same_number_is_another_one(tmp_path: Path) -> None:
    mark = Mark.create(tmp_path / "mark")
    changed(mark.file, started=mark.maker.started - 1)
    assert read_mark(mark.file).life is Life.GONE


def test_in_another_container_of_this_host_the_lock_of_the_system_tells(
    other: subprocess.Popen[str], tmp_path: Path
) -> None:
    said(other)
    changed(tmp_path / "mark", pid_namespace="pid:[1]", pid=1)
    assert read_mark(tmp_path / "mark").life is Life.RUNNING
    other.kill()
    other.wait()
    assert read_mark(tmp_path / "mark").life is Life.GONE


@pytest.mark.parametrize(
    "elsewhere",
    [{"host": "elsewhere", "boot_id": "another"}, {"boot_id": "another"}, {"pid_namespace": "", "is_flocked": False}],
    ids=["another host", "another boot, or another host of this name", "a container, and no flock"],
)
def test_from_elsewhere_a_maker_without_a_lock_may_live_or_not(tmp_path: Path, elsewhere: dict[str, object]) -> None:
    mark = Mark.create(tmp_path / "mark")
    changed(mark.file, **elsewhere)
    mark.close()
    assert read_mark(mark.file).life is Life.UNKNOWN


def test_a_file_system_without_flock_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(owners.fcntl, "flock", refuse)
    mark = Mark.create(tmp_path / "mark")
    assert not mark.maker.is_flocked
    assert read_mark(mark.file).life is Life.RUNNING


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"pid": "1"}', "\x00"])
def test_what_is_no_mark_tells_nothing(tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "_WRITTEN_SECONDS", 0)
    (tmp_path / "mark").write_text(content)
    found = read_mark(tmp_path / "mark")
    assert (found.maker, found.life, str(found)) == (None, Life.UNKNOWN, "an unknown process")


def test_a_symbolic_link_is_no_mark(tmp_path: Path) -> None:
    mark = Mark.create(tmp_path / "mark")
    (tmp_path / "link").symlink_to(mark.file)
    with pytest.raises(OSError, match="symbolic links"):
        read_mark(tmp_path / "link")


def test_of_several_makers_one_succeeds_and_a_refused_one_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = Mark.create(tmp_path / "mark")
    with pytest.raises(FileExistsError):
        Mark.create(tmp_path / "mark")
    assert mark.is_ours()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(OSError, match="No space"):
        Mark.create(tmp_path / "full")
    assert not (tmp_path / "full").exists()


def test_a_mark_that_another_has_replaced_is_not_removed(tmp_path: Path) -> None:
    mark = Mark.create(tmp_path / "mark")
    changed(mark.file, token="another")
    mark.remove()
    assert mark.file.exists()


def test_renewing_sets_the_time_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = Mark.create(tmp_path / "mark")

    def renewed() -> bool:
        os.utime(mark.file, (1, 1))
        mark.renew()
        return read_mark(mark.file).renewed_at > 1 and mark.is_ours()

    assert renewed()
    utime: Callable[..., None] = os.utime

    def refuse(file: object, *times: object) -> None:
        if isinstance(file, int):
            raise PermissionError
        utime(file, *times)

    monkeypatch.setattr(os, "utime", refuse)
    assert renewed()


@pytest.mark.parametrize("name", ["file", "a b.tsv", "x" * 255, "ü" * 127, "line\nend"])
def test_a_temporary_name_tells_its_maker_and_fits(tmp_path: Path, name: str) -> None:
    temporary = temporary_name(name)
    (tmp_path / temporary).touch()
    assert temporary.startswith(".") and life_of_name(temporary) is Life.RUNNING
    assert temporary_name(name) != temporary


def test_other_names_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {life_of_name(name) for name in (".file.12.0123abcd.tmp", "file.tmp", ".x.tmp", "")} == {None}
    here = this_place()
    name = temporary_name("file")
    monkeypatch.setattr(owners, "this_place", lambda: replace(here, host="elsewhere"))
    assert life_of_name(name) is Life.UNKNOWN


def test_a_maker_is_told_to_a_person() -> None:
    maker = replace(
        this_maker(), pid=17, user="ada", host="node1", since="2026-01-01T00:00:00+00:00", command="predict"
    )
    assert str(maker) == "process 17 of ada on node1, since 2026-01-01T00:00:00+00:00: predict"
    assert Maker(**asdict(maker)) == maker


def test_where_nothing_can_be_made_exclusively_a_second_maker_is_still_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def no_exclusive(file: Path, flags: int, *mode: int) -> int:
        if flags & os.O_EXCL:
            raise OSError(95, "Operation not supported", str(file))
        return real(file, flags, *mode)

    monkeypatch.setattr(os, "open", no_exclusive)
    mark = Mark.create(tmp_path / "mark")
    with pytest.raises(FileExistsError):
        Mark.create(tmp_path / "mark")
    assert mark.is_ours()

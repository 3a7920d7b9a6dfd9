"""What killed runs left is found and removed, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from jobs.test_leftovers import of_a_killed_process

from virnucpro_tasks.cli import leftovers
from virnucpro_tasks.cli.leftovers import LONG_DAYS, find_leftovers, remove_leftovers, temporary_parents
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.owners import temporary_name
from virnucpro_tasks.system.run_lock import LOCK_NAME, RunLock
from virnucpro_tasks.system.temporary import MARK_FILE, TemporaryFolder

KILLED = """
import os, signal, sys
from pathlib import Path
from virnucpro_tasks.system.run_lock import RunLock
from virnucpro_tasks.system.temporary import TemporaryFolder
folder = TemporaryFolder("vnp-", parent=sys.argv[1])
(folder.path / "redis.sock").touch()
RunLock(Path(sys.argv[2])).__enter__()
print(folder.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of this host for temporary ones."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(leftovers, "temporary_parents", lambda: [folder])
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder of results."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def killed(parent: Path, out: Path) -> Path:
    """The temporary folder of a run in `out` that was killed."""
    command = [sys.executable, "-c", KILLED, str(parent), str(out)]
    return Path(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.strip())


def paths(*folders: Path) -> set[Path]:
    return {leftover.path for leftover in find_leftovers(folders)}


def test_what_a_killed_run_left_is_found_and_removed(killed: Path, out: Path) -> None:
    lock = out / f"{LOCK_NAME}1"
    half = out / of_a_killed_process("records.tsv")
    half.touch()
    found = find_leftovers([out])
    assert {leftover.path for leftover in found} == {killed, lock, half}
    assert remove_leftovers([out], found) == []
    assert not killed.exists() and list(out.iterdir()) == []


def test_what_runs_is_left_alone(parent: Path, out: Path) -> None:
    (out / temporary_name("records.tsv")).touch()
    with TemporaryFolder("virnucpro-run-", parent=parent), RunLock(out):
        assert find_leftovers([out]) == []
        before = sorted(out.iterdir())
        assert remove_leftovers([out], []) == []
        assert sorted(out.iterdir()) == before


def test_folders_that_do_not_say_who_made_them_are_left_alone(parent: Path) -> None:
    for name in ("vnp-mine", "virnucpro-vectors", "other"):
        (parent / name).mkdir()
        (parent / name / "file").touch()
    (parent / "vnp-mine" / MARK_FILE).mkdir()
    assert find_leftovers([]) == []


def test_links_are_not_followed(killed: Path, parent: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    killed.rename(elsewhere)
    killed.symlink_to(elsewhere)
    (parent / "vnp-linked").mkdir()
    (parent / "vnp-linked" / MARK_FILE).symlink_to(elsewhere / MARK_FILE)
    assert find_leftovers([]) == []


def test_of_another_host_what_has_not_changed_for_a_week_counts(killed: Path) -> None:
    mark = killed / MARK_FILE
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"host": "elsewhere", "is_flocked": False}))
    assert find_leftovers([]) == []
    long_ago = mark.stat().st_mtime - LONG_DAYS * 86_400 - 60
    for path in (*killed.iterdir(), killed):
        os.utime(path, (long_ago, long_ago))
    assert paths() == {killed}


def test_what_other_users_left_is_theirs(killed: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    assert find_leftovers([out]) == []
    assert killed.exists()


def test_a_work_folder_without_work_goes_and_one_with_a_job_stays(out: Path) -> None:
    work = out / ".virnucpro-work"
    (work / "jobs").mkdir(parents=True)
    half = work / "jobs" / of_a_killed_process("20260101t000000z-aaaaaaaaaaaaaaaa")
    half.mkdir()
    job = work / "jobs" / "20260101t000000z-bbbbbbbbbbbbbbbb"
    job.mkdir()
    (job / "job.json").touch()
    assert paths(out) == {half}
    assert remove_leftovers([out], find_leftovers([out])) == []
    assert job.exists() and not half.exists()
    (job / "job.json").unlink()
    job.rmdir()
    remove_leftovers([out], [])
    assert list(out.iterdir()) == []


def test_the_temporary_folders_of_this_host_are_where_runs_make_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with TemporaryFolder("vnp-") as folder:
        assert folder.parent.resolve() in temporary_parents()


def test_doctor_lists_them_and_removes_them_when_asked(
    virnucpro: Virnucpro, killed: Path, out: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(out.parent)
    listed = [line for line in virnucpro("doctor").out if "leftovers" in line]
    assert len(listed) == 1 and str(killed) in listed[0] and "'virnucpro doctor --clean' removes them" in listed[0]
    assert killed.exists()
    ended = virnucpro("doctor", "--clean", out)
    lock = out / f"{LOCK_NAME}1"
    assert (ended.code, ended.err) == (ExitCode.OK, [])
    assert set(ended.out) == {
        f"removed  {killed} (temporary folder of a run)",
        f"removed  {lock} (lock of a run)",
    }
    assert not killed.exists() and not lock.exists()
    assert virnucpro("doctor", "--clean", out).out == ["no leftovers of killed runs"]
    assert json.loads("\n".join(virnucpro("doctor", "--clean", "--json").out)) == {"removed": [], "left": []}


def test_what_cannot_be_removed_is_named(
    virnucpro: Virnucpro, killed: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "remove_leftover", lambda path: False)
    ended = virnucpro("doctor", "--clean", out)
    assert ended.code == ExitCode.UNEXPECTED
    assert any(line.startswith(f"warning: {killed} ") for line in ended.err)


def test_a_name_cannot_control_the_terminal() -> None:
    assert str(leftovers.Leftover(Path("/tmp/vnp-\n\x1b[31m"), "lock")) == "/tmp/vnp-\\n\\x1b[31m (lock)"

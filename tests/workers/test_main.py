"""Flags of the supervisor's program, and the times that a grace period gives."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from virnucpro_workers import __main__ as program
from virnucpro_workers.__main__ import HAND_BACK_SECONDS, STOP_GRACE_SECONDS, main

from virnucpro_tasks.errors import ExitCode, LimitError, StoreError
from virnucpro_tasks.jobs.store_check import Shortcoming
from virnucpro_tasks.settings import MOST_FINISHING_PROCESSES, Settings
from virnucpro_tasks.system.host import Memory
from virnucpro_tasks.worker_notes import NoteKind, pipe


class Started:
    """Takes the place of the supervisor and records what it is asked to run."""

    def __call__(self, specs: Any, policy: Any, run_dir: Path, say: Any, tell: Any) -> Started:
        self.specs, self.policy, self.run_dir = specs, policy, run_dir
        return self

    def run(self) -> int:
        return 7


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    started = Started()
    monkeypatch.setattr(program, "Supervisor", started)
    monkeypatch.setattr(program, "list_gpus", lambda say: ())
    # main() sets the soft shutdown time for the workers.
    monkeypatch.setattr(program.os, "environ", {"VIRNUCPRO_BUNDLE": "demo", "VIRNUCPRO_STORE": str(tmp_path / "store")})
    return started


def test_workers_and_coordinators_are_started_and_the_exit_code_is_the_supervisors(
    started: Started, tmp_path: Path
) -> None:
    assert main(["--devices", "cpu", "--name", "here", "--run-dir", str(tmp_path / "run")]) == 7
    assert [spec.name for spec in started.specs] == ["embed-cpu0", "coordinate-0", "coordinate-small-0"]
    assert started.run_dir == tmp_path / "run" and started.run_dir.is_dir()
    assert started.policy.stop_seconds == Settings().soft_shutdown_seconds + STOP_GRACE_SECONDS


def test_temporary_files_of_libraries_are_in_the_folder_that_says_who_made_it(started: Started, tmp_path: Path) -> None:
    assert main(["--devices", "cpu"]) == 7
    assert {spec.environment["TMPDIR"] for spec in started.specs} == {str(started.run_dir)}
    # A folder that was asked for may be small, and is left as it is.
    assert main(["--devices", "cpu", "--run-dir", str(tmp_path / "run")]) == 7
    assert not any("TMPDIR" in spec.environment for spec in started.specs)


def test_auto_starts_no_more_workers_than_the_job_has_shards(
    started: Started, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "available_cores", lambda: 4)
    assert main(["--devices", "auto", "--most-devices", "2", "--no-small-lane"]) == 7
    assert [spec.name for spec in started.specs] == ["embed-cpu0", "embed-cpu1", "coordinate-0"]
    with pytest.raises(SystemExit):
        main(["--most-devices", "0"])
    assert "must be at least 1" in capfd.readouterr().err


@pytest.mark.parametrize(("grace", "soft"), [(60, 60 - HAND_BACK_SECONDS), (4, 2)])
def test_a_grace_period_is_split_between_the_shard_and_handing_it_back(
    started: Started, grace: float, soft: float
) -> None:
    assert main(["--devices", "none", "--grace-seconds", str(grace)]) == 7
    assert started.policy.stop_seconds == grace
    assert {spec.environment["VIRNUCPRO_SOFT_SHUTDOWN_SECONDS"] for spec in started.specs} == {str(float(soft))}


def test_many_cores_do_not_start_more_finishing_processes_than_settings_say(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "available_cores", lambda: 512)
    monkeypatch.setattr(program, "memory", lambda: None)
    monkeypatch.setattr(program, "most_processes", lambda: None)
    assert main(["--devices", "none", "--no-small-lane"]) == 7
    (coordinator,) = started.specs
    assert coordinator.environment["VIRNUCPRO_FINISHING_PROCESSES"] == str(MOST_FINISHING_PROCESSES)


def test_finishing_processes_fit_into_memory(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "available_cores", lambda: 8)
    monkeypatch.setattr(program, "memory", lambda: Memory(2_000_000_000, 700_000_000))
    assert main(["--devices", "none", "--no-small-lane"]) == 7
    (coordinator,) = started.specs
    assert coordinator.environment["VIRNUCPRO_FINISHING_PROCESSES"] == "2"


def test_only_a_one_shot_run_gives_a_worker_up(started: Started) -> None:
    assert main(["--devices", "none"]) == 7
    assert started.policy.most_deaths is None
    assert main(["--devices", "none", "--one-shot"]) == 7
    assert started.policy.most_deaths and started.policy.most_loading_deaths == 3


def test_without_shared_memory_nothing_is_started(
    started: Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise LimitError("processes cannot share memory")

    monkeypatch.setattr(program, "require_semaphores", refuse)
    assert main(["--devices", "none"]) == 4
    assert "virnucpro worker: processes cannot share memory" in capsys.readouterr().err


def test_nothing_to_start_is_an_error(started: Started, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--devices", "none", "--coordinators", "0"]) == 2
    assert "virnucpro worker: nothing to start" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--coordinators", "-1"], ["--grace-seconds", "0"], ["--grace-seconds", "inf"]])
def test_impossible_numbers_are_refused(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(flags)
    assert ended.value.code == 2


def test_what_the_file_system_of_the_store_lacks_is_said_once(
    started: Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(program, "shortcomings", lambda store: [Shortcoming("no locks", "files are")])
    assert main(["--devices", "none"]) == 7
    said = f"virnucpro worker: the file system of {tmp_path / 'store'} has no locks: files are"
    assert capsys.readouterr().err.splitlines().count(said) == 1


def test_a_store_that_cannot_be_written_now_is_said_and_workers_start(
    started: Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(store: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(program, "shortcomings", refuse)
    assert main(["--devices", "none"]) == 7
    assert "cannot be written: Read-only file system" in capsys.readouterr().err


def test_workers_do_not_start_where_results_could_be_wrong(
    started: Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(store: Path) -> None:
        raise StoreError("files in /store are not what was written to them", hint="use another")

    monkeypatch.setattr(program, "shortcomings", refuse)
    assert main(["--devices", "none"]) == ExitCode.JOB_FAILED
    assert "not what was written" in capsys.readouterr().err


def test_the_command_that_started_the_supervisor_is_told_why_it_computes_on_a_cpu(started: Started) -> None:
    reader, notes_fd = pipe()
    assert main(["--devices", "auto", "--one-shot", "--notes-fd", str(notes_fd)]) == 7
    (note,) = reader.read()
    assert note.kind is NoteKind.DEVICES and "no GPU found: computing on" in note.text
    reader.close()


def test_a_limit_of_cores_counts_for_the_supervisor_and_for_finishing(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int | None] = []
    monkeypatch.setattr(program, "limit_cores", limits.append)
    program.os.environ |= {"VIRNUCPRO_THREADS": "2", "VIRNUCPRO_FINISHING_PROCESSES": "9"}
    assert main(["--devices", "cpu"]) == 7
    assert limits == [2]
    assert {spec.environment["VIRNUCPRO_FINISHING_PROCESSES"] for spec in started.specs} == {"2"}

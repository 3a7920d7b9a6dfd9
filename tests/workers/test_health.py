"""Heartbeat files are judged by age and phase, without Celery."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from virnucpro_workers.health import Phase, heartbeat_file, main, read_heartbeat, renew_heartbeat, write_heartbeat


def aged(file: Path, phase: Phase, *, seconds: float) -> None:
    write_heartbeat(file, phase)
    then = time.time() - seconds
    os.utime(file, (then, then))


@pytest.mark.parametrize(
    ("phase", "seconds", "alive"),
    [
        (Phase.CONSUMING, 10, True),
        (Phase.CONSUMING, 130, False),
        (Phase.STARTING, 130, True),
        (Phase.RECONNECTING, 9999, True),
    ],
)
def test_who_is_alive(tmp_path: Path, phase: Phase, seconds: float, alive: bool) -> None:
    file = heartbeat_file(tmp_path, "embed-gpu0")
    aged(file, phase, seconds=seconds)
    heartbeat = read_heartbeat(file)
    assert heartbeat.name == "embed-gpu0"
    assert heartbeat.is_alive(max_age_seconds=120) is alive


def test_probe_names_the_silent_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aged(heartbeat_file(tmp_path, "embed-gpu0"), Phase.CONSUMING, seconds=1)
    assert main([str(tmp_path)]) == 0
    aged(heartbeat_file(tmp_path, "embed-gpu1"), Phase.CONSUMING, seconds=200)
    assert main([str(tmp_path)]) == 1
    assert "embed-gpu1: no heartbeat for 200 s" in capsys.readouterr().err
    assert main([str(tmp_path), "--max-age-seconds", "300"]) == 0


def test_probe_of_an_empty_folder_fails(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 1


def test_the_probe_imports_no_celery() -> None:
    code = "import sys, virnucpro_workers.health; sys.exit('celery' in sys.modules or 'kombu' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_age_is_told_by_the_clock_of_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = heartbeat_file(tmp_path, "embed-gpu0")
    write_heartbeat(file, Phase.CONSUMING)
    # The clock of this host is an hour ahead of that of the server of files.
    ahead = time.time() + 3_600
    monkeypatch.setattr(time, "time", lambda: ahead)
    assert read_heartbeat(file).age_seconds < 60


def test_a_file_whose_time_cannot_be_set_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = heartbeat_file(tmp_path, "embed-gpu0")
    aged(file, Phase.CONSUMING, seconds=500)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    renew_heartbeat(file)
    heartbeat = read_heartbeat(file)
    assert heartbeat.phase is Phase.CONSUMING and heartbeat.age_seconds < 60

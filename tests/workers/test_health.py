"""Heartbeat files are judged by age and phase, without Celery."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from virnucpro_workers.health import Phase, heartbeat_file, main, read_heartbeat, write_heartbeat


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

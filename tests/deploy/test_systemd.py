"""The units: accepted by systemd, with commands that exist and enough time to stop."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from deploy.commands import DEPLOY, STOP_SECONDS, check_command
from virnucpro_workers.supervisor import PERMANENT_EXITS

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
INSTALLED_IN = "/opt/virnucpro/bin"


def entries(unit: Path) -> dict[str, list[str]]:
    """Names and values of a unit file; sections are not told apart, no name is in two."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_there_are_units() -> None:
    assert {unit.name for unit in UNITS} == {
        "virnucpro-worker.service",
        "virnucpro-gpu@.service",
        "virnucpro-coordinator.service",
    }


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_nothing_to_say_against_it(unit: Path, tmp_path: Path) -> None:
    # It looks whether the programs are there, so they are sought where they are on this host.
    bin_folder = str(Path(sys.executable).parent)
    copy = tmp_path / unit.name.replace("@.", "@3.")
    copy.write_text(unit.read_text().replace(INSTALLED_IN, bin_folder))
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"})
    assert (done.returncode, [line for line in done.stderr.splitlines() if "virnucpro" in line]) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_command_exists(unit: Path) -> None:
    (command,) = entries(unit)["ExecStart"]
    assert command.startswith(f"{INSTALLED_IN}/")
    check_command(shlex.split(command))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_stops_the_supervisor_and_gives_it_time(unit: Path) -> None:
    found = entries(unit)
    assert found["KillMode"] == ["mixed"]
    assert float(found["TimeoutStopSec"][0]) > STOP_SECONDS
    assert "KillSignal" not in found
    assert {int(code) for code in found["RestartPreventExitStatus"][0].split()} == set(PERMANENT_EXITS)


def test_the_template_pins_one_gpu_and_never_falls_back_to_the_cpu() -> None:
    found = entries(DEPLOY / "systemd" / "virnucpro-gpu@.service")
    assert "CUDA_VISIBLE_DEVICES=%i" in found["Environment"]
    assert "--devices 0 --coordinators 0" in found["ExecStart"][0]

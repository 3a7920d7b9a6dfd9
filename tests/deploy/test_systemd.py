"""The units: accepted by systemd, with commands that exist and enough time to stop."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from deploy.commands import DEPLOY, STOP_SECONDS, check_command
from deploy.redis_server import directive
from deploy.tools import tool
from virnucpro_workers.supervisor import PERMANENT_EXITS

UNITS = {unit.name: unit for unit in sorted((DEPLOY / "systemd").glob("*.service"))}
WORKERS = ("virnucpro-worker.service", "virnucpro-gpu@.service", "virnucpro-coordinator.service")
OF_GPUS = WORKERS[:2]
OURS = (*WORKERS, "virnucpro-flower.service", "virnucpro-exporter.service")
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
    assert set(UNITS) == {*OURS, "virnucpro-redis.service"}


@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_nothing_to_say_against_it(name: str, tmp_path: Path) -> None:
    # It looks whether the programs are there, so they are sought where they are on this host.
    bin_folder = str(Path(sys.executable).parent)
    copy = tmp_path / name.replace("@.", "@3.")
    copy.write_text(UNITS[name].read_text().replace(INSTALLED_IN, bin_folder))
    analyze = tool("systemd-analyze", "apt-get install systemd")
    command = [analyze, "verify", "--man=no", "--recursive-errors=no", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"})
    assert (done.returncode, [line for line in done.stderr.splitlines() if "virnucpro" in line]) == (0, [])


@pytest.mark.parametrize("name", OURS)
def test_the_command_exists(name: str) -> None:
    (command,) = entries(UNITS[name])["ExecStart"]
    assert command.startswith(f"{INSTALLED_IN}/")
    check_command(shlex.split(command))


@pytest.mark.parametrize("name", WORKERS)
def test_it_stops_the_supervisor_and_gives_it_time(name: str) -> None:
    found = entries(UNITS[name])
    assert found["KillMode"] == ["mixed"]
    assert float(found["TimeoutStopSec"][0]) > STOP_SECONDS
    assert "KillSignal" not in found
    assert {int(code) for code in found["RestartPreventExitStatus"][0].split()} == set(PERMANENT_EXITS)
    # A shard that takes all memory ends with its process, not with all workers of the host.
    assert found["OOMPolicy"] == ["continue"]


@pytest.mark.parametrize("name", OF_GPUS)
def test_units_of_gpus_wait_for_them_and_never_fall_back_to_the_cpu(name: str) -> None:
    found = entries(UNITS[name])
    (command,) = found["ExecStart"]
    assert "--wait-for-devices" in command and "auto" not in command
    # The driver's library makes devices by a setuid program.
    assert not {"NoNewPrivileges", "PrivateDevices"} & set(found)


def test_the_unit_of_all_gpus_takes_other_devices_from_the_settings() -> None:
    found = entries(UNITS["virnucpro-worker.service"])
    assert "DEVICES=gpu" in found["Environment"] and "--devices ${DEVICES}" in found["ExecStart"][0]
    assert "\n# DEVICES=cpu\n" in (DEPLOY / "systemd" / "virnucpro.env.example").read_text()


def test_the_template_pins_one_gpu() -> None:
    found = entries(UNITS["virnucpro-gpu@.service"])
    assert "CUDA_VISIBLE_DEVICES=%i" in found["Environment"]
    assert "--devices 0 " in found["ExecStart"][0] and "--coordinators 0" in found["ExecStart"][0]


def test_redis_has_the_folder_that_its_file_names() -> None:
    found = entries(UNITS["virnucpro-redis.service"])
    assert f"/var/lib/{found['StateDirectory'][0]}" == directive("dir")


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_the_unit_of_redis_starts_whichever_server_is_there(name: str, tmp_path: Path) -> None:
    (line,) = entries(UNITS["virnucpro-redis.service"])["ExecStart"]
    server = tmp_path / name
    server.write_text('#!/bin/sh\necho "$0 $*"\n')
    server.chmod(0o755)
    # `$$` is one `$` in a unit.
    command = shlex.split(line.replace("$$", "$"))
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": str(tmp_path)})
    assert done.stdout.split() == [str(server), "/etc/virnucpro/redis.conf"]

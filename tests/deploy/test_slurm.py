"""The Slurm script: started by a real bash, the signal reaches the supervisor, and it ends in order."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from deploy.commands import DEPLOY, check_command
from service.deployment import wait_until

SCRIPT = DEPLOY / "slurm" / "virnucpro-worker.sbatch"
TEXT = SCRIPT.read_text()


GRACE = re.compile(r"--grace-seconds (\d+)")
KILL_WAIT_SECONDS = 30
"""Slurm's default time between SIGTERM and SIGKILL."""


def test_shards_are_back_in_the_queue_before_slurm_kills() -> None:
    warning = re.search(r"^#SBATCH --signal=B:USR1@(\d+)$", TEXT, re.MULTILINE)
    grace = GRACE.search(TEXT)
    assert warning and grace and int(grace[1]) < KILL_WAIT_SECONDS <= int(warning[1])
    assert "#SBATCH --requeue\n" in TEXT


def test_directives_come_before_the_first_command() -> None:
    # Slurm reads none after it.
    first_command = next(number for number, line in enumerate(TEXT.splitlines()) if line and line[0] != "#")
    directives = [number for number, line in enumerate(TEXT.splitlines()) if line.startswith("#SBATCH")]
    assert directives and max(directives) < first_command


def test_the_command_exists() -> None:
    (line,) = re.findall(r"^python -m .+ &$", TEXT, re.MULTILINE)
    check_command(shlex.split(line.removesuffix("&")))


@dataclass(frozen=True)
class Job:
    """The script with stand-ins for python and scontrol; the worker ends with `status` when it is told to stop."""

    folder: Path
    status: int

    def run(self, *signals: signal.Signals, **settings: str) -> tuple[int, list[str], str]:
        """Its exit status once it got `signals`, what was asked of scontrol, and what it says."""
        programs = self.folder / "bin"
        programs.mkdir()
        worker = (
            f'case $1 in -c) exit 0;; esac\ntrap "exit {self.status}" USR1\necho up\nwhile :; do sleep 0.01; done\n'
        )
        for name, body in (("python", worker), ("scontrol", 'echo "$@" >> "$0.calls"\n')):
            (programs / name).write_text(f"#!/bin/sh\n{body}")
            (programs / name).chmod(0o755)
        (self.folder / "settings").write_text("")
        environment = os.environ | settings | {"ENVIRONMENT_FILE": str(self.folder / "settings"), "SLURM_JOB_ID": "17"}
        environment["PATH"] = f"{programs}:{environment['PATH']}"
        process = subprocess.Popen(["bash", str(SCRIPT)], env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        for number in signals:
            process.send_signal(number)
        said = process.communicate(timeout=60)[0]
        calls = programs / "scontrol.calls"
        return process.returncode, calls.read_text().splitlines() if calls.exists() else [], said


def test_a_worker_whose_time_is_over_is_queued_again(tmp_path: Path) -> None:
    assert Job(tmp_path, status=0).run(signal.SIGUSR1) == (0, ["requeue 17"], "")


def test_a_cancelled_worker_is_not(tmp_path: Path) -> None:
    assert Job(tmp_path, status=0).run(signal.SIGTERM) == (0, [], "")


def test_a_worker_that_fails_is_not_and_says_its_status(tmp_path: Path) -> None:
    assert Job(tmp_path, status=3).run(signal.SIGUSR1) == (3, [], "")


def test_nobody_is_queued_again_who_does_not_want_to(tmp_path: Path) -> None:
    assert Job(tmp_path, status=0).run(signal.SIGUSR1, REQUEUE="no") == (0, [], "")


def test_an_environment_that_is_not_active_is_told(tmp_path: Path) -> None:
    (tmp_path / "settings").write_text(f"PATH={tmp_path}\n")
    environment = {"ENVIRONMENT_FILE": str(tmp_path / "settings"), "PATH": os.environ["PATH"]}
    done = subprocess.run(["/bin/bash", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "python (none) has no virnucpro: activate its environment" in done.stderr


@pytest.mark.service
def test_sigterm_to_the_script_stops_the_workers(tmp_path: Path) -> None:
    # On this host there may be no GPU: the same script on a CPU. No Redis either, which a worker waits for.
    script = tmp_path / "script"
    script.write_text(GRACE.sub("--grace-seconds 2", TEXT).replace("--devices 0", "--devices cpu"))
    (tmp_path / "settings").write_text(
        f"VIRNUCPRO_STORE={tmp_path}\nVIRNUCPRO_BUNDLE=demo\nVIRNUCPRO_BROKER_URL=redis://127.0.0.1:1/0\n"
    )
    environment = os.environ | {
        "ENVIRONMENT_FILE": str(tmp_path / "settings"),
        "SLURM_JOB_ID": "17",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    said = tmp_path / "said"
    with said.open("wb") as log:
        process = subprocess.Popen(
            ["bash", str(script)], env=environment, stderr=log, stdout=log, start_new_session=True
        )
    try:
        wait_until(lambda: "embed-cpu0 started" in said.read_text())
        # To the supervisor too, as Slurm does
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(40) == 0, said.read_text()
        assert "again: killing" not in said.read_text()
    finally:
        process.kill()
        process.wait()

"""The Slurm script: started by a real bash, the signal reaches the supervisor, and it ends in order."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from deploy.commands import DEPLOY, STOP_SECONDS, check_command
from service.deployment import wait_until

SCRIPT = DEPLOY / "slurm" / "virnucpro-worker.sbatch"
TEXT = SCRIPT.read_text()


def test_the_warning_comes_early_enough_and_goes_to_the_script() -> None:
    found = re.search(r"^#SBATCH --signal=B:TERM@(\d+)$", TEXT, re.MULTILINE)
    assert found and int(found[1]) > STOP_SECONDS


def test_directives_come_before_the_first_command() -> None:
    # Slurm reads none after it.
    first_command = next(number for number, line in enumerate(TEXT.splitlines()) if line and line[0] != "#")
    directives = [number for number, line in enumerate(TEXT.splitlines()) if line.startswith("#SBATCH")]
    assert directives and max(directives) < first_command


def test_the_command_exists_and_takes_the_place_of_the_script() -> None:
    last = TEXT.splitlines()[-1]
    assert last.startswith("exec ")
    check_command(shlex.split(last.removeprefix("exec ")))


@pytest.mark.service
def test_sigterm_to_the_script_stops_the_workers(tmp_path: Path) -> None:
    # On this host there may be no GPU: the same script on a CPU. No Redis either, which a worker waits for.
    script = tmp_path / "script"
    script.write_text(TEXT.replace("--devices 0", "--devices cpu"))
    (tmp_path / "settings").write_text(
        f"VIRNUCPRO_STORE={tmp_path}\nVIRNUCPRO_BUNDLE=demo\nVIRNUCPRO_BROKER_URL=redis://127.0.0.1:1/0\n"
        "VIRNUCPRO_SOFT_SHUTDOWN_SECONDS=1\n"
    )
    environment = os.environ | {
        "ENVIRONMENT_FILE": str(tmp_path / "settings"),
        "SLURM_JOB_ID": "17",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    said = tmp_path / "said"
    with said.open("wb") as log:
        process = subprocess.Popen(["bash", str(script)], env=environment, stderr=log, stdout=log)
    try:
        wait_until(lambda: "embed-cpu0 started" in said.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, said.read_text()
    finally:
        process.kill()
        process.wait()

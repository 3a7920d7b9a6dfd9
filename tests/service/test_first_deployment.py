"""The commands of docs/deployment.md, run as they stand there, one after the other in one shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from service.deployment import COMMAND, PATIENCE_SECONDS, SAMPLE, comparable

pytestmark = [pytest.mark.service, pytest.mark.slow]

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "deployment.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(server: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all blocks were run without an error, with programs and a port of the test's own."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "reads.fasta").write_bytes(SAMPLE.read_bytes())
    programs = folder / "programs"
    programs.mkdir()
    for name, called in (("valkey-server", [str(server)]), ("virnucpro", COMMAND)):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(called)} "$@"\n')
        (programs / name).chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = "set -e\n" + "\n".join(BLOCKS).replace("6379", str(port))
    script = script.replace("--devices cpu", "--devices cpu --no-small-lane")
    # Workers of a machine that has much to do may answer late.
    script = script.replace("\nvirnucpro doctor\n", f"\n{' || '.join(['virnucpro doctor'] * 5)}\n")
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    with (folder / "said").open("wb") as said:
        shell = subprocess.Popen(
            ["bash", "-c", script], cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
        try:
            code = shell.wait(PATIENCE_SECONDS)
        finally:
            if shell.poll() != 0:
                os.killpg(shell.pid, signal.SIGKILL)
                if (pid := folder / "redis" / "pid").exists():
                    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert code == 0, (folder / "said").read_text()
    return folder


def test_results_of_a_job_that_was_restored_are_equal(folder: Path) -> None:
    assert comparable(folder / "first") == comparable(folder / "second")


def test_one_look_at_the_deployment_tells_what_was_done(folder: Path) -> None:
    look = json.loads((folder / "look.json").read_text())
    assert (look["jobs"]["done"], look["open_jobs"], look["redis_error"], look["store_error"]) == (1, [], None, None)


def test_at_the_end_both_jobs_are_there_and_none_is_open(folder: Path) -> None:
    assert "none of 2 jobs in the store" in (folder / "said").read_text()

"""A fork is what a process would be that an interpreter began with."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from service.deployment import COMMAND, PATIENCE_SECONDS, wait_until
from service.forks import FORKED, START_MODULE, ForkedProcess, forked_module

from virnucpro_tasks.chaos.hosts import children
from virnucpro_tasks.system.isolation import isolated_command


@pytest.mark.parametrize("arguments", [["config", "show"], ["status", "nowhere"], ["worker", "--nonsense"]])
def test_it_says_and_returns_the_same(arguments: list[str], tmp_path: Path) -> None:
    environment = os.environ | {"VIRNUCPRO_STORE": "here", "VIRNUCPRO_BUNDLE": "demo"}
    ends = []
    for kind in (subprocess.Popen, ForkedProcess):
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        with kind([*COMMAND, *arguments], env=environment, cwd=tmp_path, **pipes) as process:
            ends.append((*process.communicate(timeout=PATIENCE_SECONDS), process.returncode))
    assert ends[0] == ends[1]
    assert any(ends[0][:2])


def test_others_see_its_command_line_its_environment_and_its_end(tmp_path: Path) -> None:
    arguments = ["predict", "-", "--bundle", "demo", "--output", str(tmp_path / "out")]
    variables = {"VIRNUCPRO_STORE": str(tmp_path)}
    with ForkedProcess([*COMMAND, *arguments], env=variables, stdin=subprocess.PIPE, start_new_session=True) as fork:
        seen = psutil.Process(fork.pid)
        wait_until(lambda: seen.environ() == variables)
        assert seen.ppid() == os.getpid()
        assert seen.cmdline()[: len(COMMAND) + len(arguments)] == [*COMMAND, *arguments]
        assert os.getsid(fork.pid) == fork.pid
        # It is no child of its main thread that makes forks for it
        assert children(fork.pid) == []
        fork.kill()
    assert fork.returncode == -signal.SIGKILL


def test_only_our_commands_are_forked() -> None:
    for module in FORKED:
        assert forked_module(isolated_command(module, "--flag")) == [module, "--flag"]
        assert forked_module(["python", "-m", module]) == [module]
    assert forked_module(isolated_command("flower")) is None
    assert forked_module(["python", str(START_MODULE)]) is None
    assert forked_module(["valkey-server", "-m"]) is None

"""The supervisor of a one-shot run, with a stand-in for its module."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from virnucpro_tasks import isolation, local_workers
from virnucpro_tasks.errors import BackendError
from virnucpro_tasks.local_workers import LocalWorkers
from virnucpro_tasks.settings import Settings

OBEDIENT = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("stopped", flush=True), sys.exit(0)))
print(sys.argv[1:], os.environ["VIRNUCPRO_WATCH_SECONDS"], flush=True)
signal.pause()
"""
FAILING = """
import sys
print("virnucpro worker embed-gpu0: no CUDA device", "virnucpro worker: embed-gpu0 ended", "noise", sep="\\n")
sys.exit({code})
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def write(code: str) -> None:
        (tmp_path / "stand_in_for_workers.py").write_text(code)
        monkeypatch.setattr(isolation, "own_folders", lambda: [str(tmp_path)])
        monkeypatch.setattr(local_workers, "WORKER_MODULE", "stand_in_for_workers")

    return write


def wait_for(workers: LocalWorkers, text: str) -> None:
    deadline = time.monotonic() + 30
    while text not in workers.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_supervisor_runs_as_long_as_the_block(stand_in, settings: Settings) -> None:
    stand_in(OBEDIENT)
    with LocalWorkers(settings, devices="cpu") as workers:
        wait_for(workers, "['--devices', 'cpu', '--no-small-lane'] 0")
        workers.check()
    assert workers.log.read_text().endswith("stopped\n")


@pytest.mark.parametrize(("code", "exit_code"), [(2, 2), (99, 1)])
def test_if_it_ends_the_last_line_of_a_worker_is_the_reason(
    stand_in, settings: Settings, code: int, exit_code: int
) -> None:
    stand_in(FAILING.format(code=code))
    settings.store.mkdir()
    (settings.store / "workers.log").write_text("virnucpro worker embed-gpu0: of an earlier run\n")
    with LocalWorkers(settings, devices="0") as workers:
        wait_for(workers, "noise")
        deadline = time.monotonic() + 30
        with pytest.raises(BackendError, match="have stopped: virnucpro worker embed-gpu0: no CUDA device") as raised:
            while time.monotonic() < deadline:
                workers.check()
        assert raised.value.exit_code == exit_code

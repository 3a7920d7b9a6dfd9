"""The supervisor of a one-shot run, with a stand-in for its module."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from virnucpro_tasks import local_workers
from virnucpro_tasks.errors import BackendError, VirnucproError, WorkerError
from virnucpro_tasks.local_workers import LocalWorkers
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system import isolation

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
        folders = [str(tmp_path), *isolation.own_folders()]
        monkeypatch.setattr(isolation, "own_folders", lambda: folders)
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
        wait_for(workers, "['--devices', 'cpu', '--no-small-lane', '--one-shot', ")
        workers.check()
    assert workers.log.read_text().endswith("stopped\n")


def test_workers_without_work_are_not_waited_for(stand_in, settings: Settings) -> None:
    stand_in(OBEDIENT)
    with LocalWorkers(settings, devices="auto", most_devices=3) as workers:
        wait_for(workers, "['--devices', 'auto', '--no-small-lane', '--most-devices', '3', '--one-shot', ")
        workers.have_work = False
    assert "stopped" not in workers.log.read_text()


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


TELLING = """
import os, sys, time
from virnucpro_tasks.worker_notes import *
tell = NoteWriter(int(sys.argv[-1])).write
tell(Note("embed-cpu0", NoteKind.STARTED))
tell(Note("embed-cpu0", NoteKind.DIED, text="embed-cpu0 was killed; starting again in 1 s", hint="more memory"))
{}
"""


def ended(workers: LocalWorkers) -> Exception:
    """Wait until the supervisor has ended; returns the error with its reason."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            workers.check()
        except VirnucproError as error:
            return error
        time.sleep(0.02)
    raise AssertionError("it goes on")


def test_what_happens_to_workers_is_told_in_lines(stand_in, settings: Settings) -> None:
    stand_in(TELLING.format("time.sleep(60)"))
    with LocalWorkers(settings, devices="cpu") as workers:
        said: list[str] = []
        deadline = time.monotonic() + 30
        while not said and time.monotonic() < deadline:
            said += workers.news()
    assert said == ["warning: embed-cpu0 was killed; starting again in 1 s (more memory)"]


def test_a_worker_that_loads_for_long_is_mentioned(
    stand_in, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_workers, "STILL_LOADING_SECONDS", (0.0, 3_600.0))
    stand_in(TELLING.format("tell(Note('embed-cpu0', NoteKind.STARTED)); time.sleep(60)"))
    with LocalWorkers(settings, devices="cpu") as workers:
        said: list[str] = []
        deadline = time.monotonic() + 30
        while len(said) < 2 and time.monotonic() < deadline:
            said += workers.news()
    assert said[-1] == "embed-cpu0 has been loading for 0 s"


def test_workers_that_are_given_up_are_an_error_with_the_cause_and_what_to_do(stand_in, settings: Settings) -> None:
    given_up = "tell(Note('embed-cpu0', NoteKind.GIVEN_UP, text='embed-cpu0 died, 3 times', hint='more memory'))"
    stand_in(TELLING.format(f"{given_up}; sys.exit(4)"))
    with LocalWorkers(settings, devices="cpu") as workers:
        error = ended(workers)
    assert isinstance(error, WorkerError) and error.exit_code == 4
    assert str(error).startswith("the workers have stopped: embed-cpu0 died, 3 times (more memory; all of it: ")


def test_a_supervisor_that_is_killed_is_told(stand_in, settings: Settings) -> None:
    stand_in(TELLING.format("os.kill(os.getpid(), 9)"))
    with LocalWorkers(settings, devices="cpu") as workers:
        error = ended(workers)
    assert "the supervisor of the workers was killed by SIGKILL, probably for lack of memory" in str(error)
    assert error.exit_code == 4


def test_a_log_that_was_removed_is_no_new_error(stand_in, settings: Settings) -> None:
    stand_in("import sys; sys.exit(2)")
    with LocalWorkers(settings, devices="cpu") as workers:
        workers.log.unlink()
        error = ended(workers)
    assert "their log cannot be read" in str(error)


def test_which_devices_were_chosen_is_news(stand_in, settings: Settings) -> None:
    stand_in(
        "import sys, signal; from virnucpro_tasks.worker_notes import *\n"
        "NoteWriter(int(sys.argv[-1])).write(Note('supervisor', NoteKind.DEVICES, text='computing on 2 CPU workers'))\n"
        "print('told', flush=True); signal.pause()"
    )
    with LocalWorkers(settings, devices="auto") as workers:
        wait_for(workers, "told")
        assert list(workers.news()) == ["computing on 2 CPU workers"]
        assert list(workers.news()) == []


def test_loading_counts_as_long_as_no_worker_computes(stand_in, settings: Settings) -> None:
    begun = "tell(Note('embed-cpu0', NoteKind.STARTED)); tell(Note('coordinate-0', NoteKind.STARTED))"
    ready = "tell(Note('coordinate-0', NoteKind.READY)); tell(Note('coordinate-0', NoteKind.WORKING))"
    lost = "tell(Note('coordinate-0', NoteKind.LOST, status=-9))"
    stand_in(TELLING.format(f"{begun}; time.sleep(0.5); {ready}; time.sleep(0.5); {lost}; time.sleep(60)"))
    with LocalWorkers(settings, devices="cpu") as workers:
        for loads in (True, False, True):
            deadline = time.monotonic() + 30
            while (workers.loading_seconds() is not None) is not loads:
                assert time.monotonic() < deadline
                list(workers.news())

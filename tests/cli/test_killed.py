"""`virnucpro predict` killed by SIGKILL in each of its stages: the same command goes on to the same results."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Virnucpro
from earlier.folders import Computed
from known_vectors import STAGES, KnownWorker

from virnucpro_tasks.chaos.report import contents
from virnucpro_tasks.cli import predict
from virnucpro_tasks.cli.work_folder import WORK_FOLDER
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import Progress, job_progress
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.files import file_sha256

CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
SHARES = {"first": 0.0, "middle": 0.5, "last": 0.95}
"""Of the changes in a stage, how many are made before the run is killed."""

PATIENCE_SECONDS = 120


class Changes:
    """Counts, in a process of its own, what it changes in a folder of the file system, by stage.

    Files are opened for writing, renamed, linked and removed: between two of these the names on the disk are the same.
    With `killed_in` it ends itself in that stage before the change that is `more` after the first; one that is made in
    the background may be of the next stage.
    """

    def __init__(self, folder: Path, *, killed_in: str = "", more: int = 0) -> None:
        self.counted: Counter[str] = Counter()
        self._folder, self._killed_in, self._more = str(folder), killed_in, more
        self._is_near = False
        self.enter(STAGES[0])

    def enter(self, stage: str) -> None:
        self._stage = stage
        self._is_near |= stage == self._killed_in

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not (writes or event in CHANGES) or not str(arguments[0]).startswith(self._folder):
            return
        self.counted[self._stage] += 1
        if self._is_near:
            self._more -= 1
            if self._more < 0:
                os.kill(os.getpid(), signal.SIGKILL)


Run = Callable[..., None]


@pytest.fixture
def run(virnucpro: Virnucpro, earlier_run: Computed, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`virnucpro predict` into a folder, in this process, with four shards; tells which stage it is in."""
    monkeypatch.setattr(predict, "check_engine", lambda *_, **__: ())

    def run_into(output: Path, *more: str, say: Callable[[str], object] = lambda stage: None) -> None:
        def run_here(settings: Settings, job: Job, **_: Any) -> Progress:
            KnownWorker(settings, earlier_run, say).run(job)
            return job_progress(job)

        monkeypatch.setattr(predict, "run_here", run_here)
        flags = ("--precision", "fp32", "--shard-tokens", "1000", *more)
        ended = virnucpro("predict", earlier_run.input, "-o", output, *flags)
        assert ended.code == ExitCode.OK, ended.err

    return run_into


def in_child(run: Run, output: Path, changes: Changes, counts: Path) -> int:
    """The status of a process that runs the command; it writes how many changes each stage made."""
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(PATIENCE_SECONDS)
            sys.addaudithook(changes)
            run(output, say=changes.enter)
            counts.write_text(json.dumps(changes.counted))
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("undisturbed")


@pytest.fixture
def undisturbed(run: Run, place: Path) -> Path:
    """A folder with the results `out` of a run that nobody killed, and the numbers of its changes, `counts`."""
    if not (place / "counts").exists():
        assert in_child(run, place / "out", Changes(place), place / "counts") == 0
    return place


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("stage", STAGES)
def test_a_run_that_was_killed_goes_on_to_the_same_results(
    stage: str, share: str, run: Run, undisturbed: Path, tmp_path: Path
) -> None:
    output, expected = tmp_path / "out", contents(undisturbed / "out")
    number = json.loads((undisturbed / "counts").read_bytes())[stage]
    changes = Changes(tmp_path, killed_in=stage, more=int(SHARES[share] * number))
    killed = in_child(run, output, changes, tmp_path / "counts")
    assert killed == -signal.SIGKILL
    # run.json is the last file, and says that all others are there; then the command goes on with --resume alone.
    is_done = (output / "run.json").exists()
    if is_done:
        digests = json.loads((output / "run.json").read_bytes())["sha256"]
        assert digests and all(file_sha256(output / name) == digest for name, digest in digests.items())
    run(output, *(["--resume"] if is_done else []))
    assert contents(output) == expected
    assert not (output / WORK_FOLDER).exists()

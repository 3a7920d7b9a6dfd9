"""A full disk for a job or for results: one line with the path, a documented code, no half-written files."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cli.commands import run
from job import SAMPLE, all_jobs, make_job

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.cli.results import copy_results
from virnucpro_tasks.errors import ExitCode, OutputError, StoreError
from virnucpro_tasks.jobs.deduplicate import deduplicate
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.settings import Settings

PAGE = 4_096
DISK_PAGES = 128


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of DISK_PAGES pages."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_PAGES * PAGE}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def leave(disk: Path, pages: int) -> None:
    """Fill `disk` until the given number of pages is left."""
    (disk / "filler").unlink(missing_ok=True)
    free = shutil.disk_usage(disk).free // PAGE
    (disk / "filler").write_bytes(bytes(PAGE * (free - pages)))


def files_of(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.rglob("*") if file.is_file() and file.name != "filler")


def test_a_job_is_taken_whole_or_not_at_all_wherever_the_disk_ends(settings: Settings, disk: Path) -> None:
    settings = replace(settings, store=disk / "store")
    for pages in range(DISK_PAGES):
        leave(disk, pages)
        try:
            job = deduplicate(settings.store, make_job(settings, SAMPLE)).job
        except StoreError as error:
            assert (error.exit_code, error.what.count("No space left on device")) == (ExitCode.JOB_FAILED, 1)
            assert str(settings.store) in str(error)
            assert list((settings.store / "jobs").glob("*")) == []
        else:
            break
    # Then it was refused at every file: input, head, job.json and the file of the submission
    assert pages > SAMPLE.stat().st_size // PAGE + 3
    assert [other.job_id for other in all_jobs(settings)] == [job.job_id]
    assert [file for file in files_of(settings.store) if file.endswith(".tmp")] == []


def test_results_are_copied_whole_and_the_mark_last_wherever_the_disk_ends(finished: Job, disk: Path) -> None:
    refusals = 0
    for pages in range(DISK_PAGES):
        leave(disk, pages)
        try:
            copy_results(finished, disk / "out", force=True)
        except OutputError as error:
            refusals += 1
            assert (error.exit_code, str(disk / "out") in str(error)) == (ExitCode.USAGE, True)
            for file in (disk / "out").iterdir():
                assert file.read_bytes() == (finished.paths.results / file.name).read_bytes()
            assert not (disk / "out" / "run.json").exists()
        else:
            break
    assert refusals > 3
    assert files_of(disk / "out") == files_of(finished.paths.results)


@pytest.mark.service
@pytest.mark.parametrize("command", ["submit", "predict"])
def test_commands_say_so_in_one_line(
    command: str, disk: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    leave(disk, 0)
    flags = ["--store", str(disk / "store"), "--broker-url", broker.url]
    flags = flags if command == "submit" else ["--output", str(disk / "out")]
    assert run(monkeypatch, command, str(SAMPLE), "--bundle", "demo", *flags) == ExitCode.JOB_FAILED
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("demonstration")]
    assert len(said) == 1
    assert said[0].startswith(f"virnucpro: error: {disk}/")
    assert "No space left on device: the store does not take the job" in said[0]
    assert files_of(disk) == []


@pytest.mark.parametrize("source", ["-", str(SAMPLE)])
def test_a_limit_to_the_size_of_files_is_no_fault_of_the_input(source: str, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))

    command = [sys.executable, "-m", "virnucpro_tasks.cli.main", "predict", source, "--bundle", "demo", "--quiet"]
    ended = subprocess.run(
        [*command, "--output", str(tmp_path / "out")],
        input=SAMPLE.read_bytes(),
        capture_output=True,
        check=False,
        preexec_fn=limit,
        # Under this limit Python would cut the compiled modules that it keeps, and no process could import them.
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ended.returncode == ExitCode.JOB_FAILED
    said = ended.stderr.decode()
    assert len(said.splitlines()) == 1
    assert f"{tmp_path}/out" in said and "File too large: the store does not take the job" in said
    assert files_of(tmp_path / "out") == []

"""Commands that take over the work of an earlier tool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Virnucpro
from earlier.folders import Computed, Folder
from job import all_jobs

from virnucpro_tasks.cli import admission, predict, submit
from virnucpro_tasks.cli.imported import earlier_work
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.settings import Settings

FolderOf = Callable[..., Folder]


def test_import_submits_a_job_with_the_vectors_and_says_what_they_are(
    virnucpro: Virnucpro,
    settings: Settings,
    folder_of: FolderOf,
    earlier_run: Computed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("check_redis", "enqueue"):
        monkeypatch.setattr(submit, name, lambda *_: None)
    monkeypatch.setattr(admission, "require_redis_room", lambda *_: None)
    folder = folder_of("v1")
    (folder.root / "reads_merged" / "output_1_merged.pt").write_bytes(b"")
    ended = virnucpro("import", folder.root, earlier_run.input)
    assert ended.code == ExitCode.OK
    (job,) = all_jobs(settings)
    assert ended.out == [job.job_id]
    assert job.spec.imported is not None
    assert job.spec.imported.found == job.spec.imported.wanted
    assert ended.err[0].endswith("nucleotide vectors taken over, computed in fp32")
    assert ended.err[1].endswith("protein vectors taken over, computed in fp16")
    assert "reads_merged/output_1_merged.pt is not used: it is no complete zip file" in " ".join(ended.err)
    # The same work with the same vectors is one job, without them it is another.
    again = virnucpro("submit", "--import", folder.root, earlier_run.input)
    assert again.out == [job.job_id]
    assert virnucpro("submit", earlier_run.input).out != [job.job_id]


def test_a_folder_that_is_none_is_refused_before_anything_is_made(
    virnucpro: Virnucpro, settings: Settings, earlier_run: Computed, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for folder, reason in ((tmp_path, "no folder of the original tool"), (tmp_path / "none", "No such file")):
        for command in (["predict", "-o", out, "--import"], ["import"]):
            ended = virnucpro(*command, folder, earlier_run.input)
            assert ended.code == ExitCode.BAD_INPUT and reason in ended.err[-1]
    assert not out.exists() and not settings.store.exists()


def test_predict_takes_the_folder(
    virnucpro: Virnucpro, folder_of: FolderOf, earlier_run: Computed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Job] = []

    def run_here(settings: Settings, job: Job, **_: Any) -> None:
        jobs.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(predict, "run_here", run_here)
    virnucpro("predict", "-o", tmp_path / "out", "--import", folder_of("original").root, earlier_run.input)
    (job,) = jobs
    assert job.spec.imported is not None and job.spec.imported.tool == "original"


def test_resume_in_the_folder_of_an_earlier_run_takes_it_over(
    virnucpro: Virnucpro, folder_of: FolderOf, earlier_run: Computed, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Job] = []

    def run_here(settings: Settings, job: Job, **_: Any) -> None:
        jobs.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(predict, "run_here", run_here)
    folder = folder_of("v2").root
    before = sorted(folder.rglob("*"))
    virnucpro("predict", "-o", folder, "--resume", earlier_run.input)
    virnucpro("predict", "-o", folder, "--resume", earlier_run.input)
    first, second = jobs
    assert first.spec.imported is not None and first.spec.imported.tool == "package 2.0"
    assert first.job_id == second.job_id
    # Without it the folder is only a place for results.
    virnucpro("predict", "-o", folder, earlier_run.input)
    assert jobs[-1].spec.imported is None
    assert set(before) < set(folder.rglob("*"))


def test_the_folder_of_a_run_is_that_of_its_results_or_of_its_input(folder_of: FolderOf, tmp_path: Path) -> None:
    package, original = folder_of("v2").root, folder_of("original").root
    source = original / "reads.fasta"
    assert earlier_work(package, [source]) == package
    assert earlier_work(tmp_path / "out", [source]) == original
    assert earlier_work(tmp_path / "out", [tmp_path / "reads.fasta"]) is None

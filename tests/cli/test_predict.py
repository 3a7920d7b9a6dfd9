from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Virnucpro
from cli.snapshots import TOKENS, split
from job import SAMPLE

from virnucpro_tasks.cli import predict
from virnucpro_tasks.errors import BackendError, ExitCode
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, Progress
from virnucpro_tasks.settings import Settings


@pytest.fixture
def run_as(monkeypatch: pytest.MonkeyPatch, finished: Job) -> Any:
    """Let the run of a job end with this code; a run that ends well has the results of the finished job."""

    def end(code: ExitCode) -> list[Settings]:
        asked: list[Settings] = []

        def run_here(settings: Settings, job: Job, **_: Any) -> Progress:
            asked.append(settings)
            if code == ExitCode.OK:
                job.paths.run.parent.mkdir(exist_ok=True)
                job.paths.run.write_bytes(finished.paths.run.read_bytes())
                shutil.copytree(finished.paths.results, job.paths.results, dirs_exist_ok=True)
                shutil.copytree(finished.paths.embeddings, job.paths.embeddings, dirs_exist_ok=True)
            return replace(split(JobState.DONE, shards_done=31, tokens_done=TOKENS), exit_code=code)

        monkeypatch.setattr(predict, "run_here", run_here)
        return asked

    return end


def test_results_are_in_the_folder_and_the_work_is_gone(
    virnucpro: Virnucpro, finished: Job, tmp_path: Path, run_as: Any
) -> None:
    asked = run_as(ExitCode.OK)
    out = tmp_path / "out"
    ended = virnucpro("predict", SAMPLE, "-o", out, "--shard-tokens", 1_234, "--cpu-threads", 1)
    assert ended.code == ExitCode.OK
    assert ended.err[0].startswith("demonstration (DEMONSTRATION)") and ended.err[-1] == f"results are in {out}"
    assert {file.name for file in out.iterdir()} == {file.name for file in finished.paths.results.iterdir()}
    assert [(settings.store, settings.shard_tokens) for settings in asked] == [(out / ".virnucpro-work", 1_234)]


def test_kept_vectors_are_copied_too(virnucpro: Virnucpro, finished: Job, tmp_path: Path, run_as: Any) -> None:
    run_as(ExitCode.OK)
    ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "out", "--keep-embeddings", "--quiet", "--json")
    assert (ended.code, ended.err) == (ExitCode.OK, [])
    assert json.loads("\n".join(ended.out))["state"] == "done"
    kept = {file.name for file in finished.paths.embeddings.glob("*.safetensors")}
    assert {file.name for file in (tmp_path / "out" / "embeddings").iterdir()} == kept


def test_a_job_that_fails_gives_its_exit_code_and_no_results(virnucpro: Virnucpro, tmp_path: Path, run_as: Any) -> None:
    run_as(ExitCode.BAD_INPUT)
    ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "out", "--quiet")
    assert (ended.code, ended.err) == (ExitCode.BAD_INPUT, [])
    assert list((tmp_path / "out").iterdir()) == []


def test_without_the_packages_of_a_worker_nothing_is_made(
    virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> None:
        raise BackendError("this installation has no torch")

    monkeypatch.setattr(predict, "require_extra", refuse)
    assert virnucpro("predict", SAMPLE, "-o", tmp_path / "out").code == ExitCode.USAGE
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_cannot_be_made_is_named(virnucpro: Virnucpro, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "file" / "out", "--quiet")
    assert ended.code == ExitCode.USAGE
    assert ended.err[-1].startswith(f"virnucpro: error: {tmp_path}/file/out cannot be made: ")

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE, make_job

from virnucpro_tasks.cli.results import as_output_error, copy_embeddings
from virnucpro_tasks.errors import ExitCode, OutputError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.paths import COMMIT_MARK
from virnucpro_tasks.settings import Settings


@pytest.fixture
def settings(settings: Settings, finished: Job) -> Settings:
    return replace(settings, store=finished.paths.store)


def test_files_are_named_the_mark_of_completion_last(finished: Job, virnucpro: Virnucpro) -> None:
    ended = virnucpro("results", finished.job_id)
    assert ended.code == ExitCode.OK
    assert {Path(line).name for line in ended.out} == {file.name for file in finished.paths.results.iterdir()}
    assert Path(ended.out[-1]).name == COMMIT_MARK
    listed = json.loads("\n".join(virnucpro("results", finished.job_id, "--json").out))
    assert listed == {"job_id": finished.job_id, "files": ended.out}


def test_copies_are_equal_and_not_replaced_without_force(finished: Job, virnucpro: Virnucpro, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert virnucpro("results", finished.job_id, "-o", out).code == ExitCode.OK
    for file in finished.paths.results.iterdir():
        assert (out / file.name).read_bytes() == file.read_bytes()
    refused = virnucpro("results", finished.job_id, "-o", out)
    assert refused.code == ExitCode.USAGE and "already holds results" in refused.err[0]
    (out / "records.tsv").write_text("other")
    assert virnucpro("results", finished.job_id, "-o", out, "--force").code == ExitCode.OK
    assert (out / "records.tsv").read_bytes() == (finished.paths.results / "records.tsv").read_bytes()


def test_a_file_is_no_folder_for_results(finished: Job, virnucpro: Virnucpro, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    ended = virnucpro("results", finished.job_id, "-o", tmp_path / "out", "--force")
    assert ended.code == ExitCode.USAGE and "is not a folder" in ended.err[0]
    assert (tmp_path / "out").read_text() == "mine"


def test_a_job_without_results_is_an_error(settings: Settings, virnucpro: Virnucpro) -> None:
    ended = virnucpro("results", make_job(settings, SAMPLE).job_id, "-o", "-")
    assert ended.code == ExitCode.JOB_FAILED and "not finished" in ended.err[0]
    assert ended.out == []


def test_a_hyphen_as_output_prints_the_records(finished: Job, virnucpro: Virnucpro) -> None:
    ended = virnucpro("results", finished.job_id, "-o", "-")
    assert ended.code == ExitCode.OK
    assert ended.out == (finished.paths.results / "records.tsv").read_text().splitlines()


def test_kept_vectors_are_copied(finished: Job, tmp_path: Path) -> None:
    copies = copy_embeddings(finished, tmp_path / "embeddings")
    kept = sorted(finished.paths.embeddings.glob("*.safetensors"))
    assert [copy.read_bytes() for copy in copies] == [file.read_bytes() for file in kept]
    assert copies and copies[0].parent == tmp_path / "embeddings"


def test_an_error_of_the_system_names_the_folder_and_says_that_nothing_is_lost(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=f"{tmp_path}: No space.*they stay where they are"), as_output_error(tmp_path):
        raise OSError(28, "No space left on device")

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE, make_job
from jobs.test_leftovers import of_a_killed_process

from virnucpro_tasks.cli import results
from virnucpro_tasks.cli.results import as_output_error, copy_embeddings, copy_results
from virnucpro_tasks.errors import ExitCode, OutputError
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.paths import COMMIT_MARK
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.file_operations import copy_file
from virnucpro_tasks.system.run_lock import RunLock


@pytest.fixture
def settings(settings: Settings, finished: Job) -> Settings:
    return replace(settings, store=finished.paths.store)


def test_files_are_named_the_mark_of_completion_last(finished: Job, virnucpro: Virnucpro) -> None:
    ended = virnucpro("results", finished.job_id)
    assert ended.code == ExitCode.OK
    assert {Path(line).name for line in ended.out} == {file.name for file in finished.paths.results.iterdir()}
    assert Path(ended.out[-1]).name == COMMIT_MARK
    listed = json.loads("\n".join(virnucpro("results", finished.job_id, "--json").out))
    assert (listed["job_id"], listed["files"]) == (finished.job_id, ended.out)
    assert (listed["output"], listed["exit_code"]) == (str(finished.paths.results), ExitCode.OK)
    assert listed["records"]["all"] == sum(listed["records"]["by_status"].values()) > 0
    assert sum(listed["records"]["by_call"].values()) == listed["records"]["by_status"]["scored"]


def test_paths_are_absolute_for_a_program(
    finished: Job, virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    listed = json.loads("\n".join(virnucpro("results", finished.job_id, "-o", "out", "--json").out))
    assert listed["output"] == str(tmp_path / "out")
    assert {Path(file).parent for file in listed["files"]} == {tmp_path / "out"}


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


def test_a_name_that_no_file_system_takes_is_told_as_wrong_use(
    finished: Job, virnucpro: Virnucpro, tmp_path: Path
) -> None:
    ended = virnucpro("results", finished.job_id, "-o", tmp_path / ("y" * 256))
    assert ended.code == ExitCode.USAGE and "File name too long (use a folder with a shorter name)" in ended.err[0]


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


def delivered(finished: Job, tmp_path: Path) -> Path:
    """A folder with results."""
    copy_results(finished, tmp_path / "out", force=False)
    return tmp_path / "out"


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["records.tsv", COMMIT_MARK, "virnucpro.log"])
def test_older_results_stay_whole_until_all_of_the_new_ones_are_on_disk(
    finished: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    out = delivered(finished, tmp_path)
    (out / "records.tsv").write_text("older")
    before = content(out)

    def refuse(source: Path, target: Path) -> None:
        if source.name == name:
            raise OSError(28, "No space left on device")
        copy_file(source, target)

    monkeypatch.setattr(results, "copy_file", refuse)
    with pytest.raises(OutputError, match="No space left"):
        copy_results(finished, out, force=True)
    assert content(out) == before


def test_a_copy_that_is_not_what_was_written_is_no_success(
    finished: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[: -1 if source.name == "chunks.tsv" else None])

    monkeypatch.setattr(results, "copy_file", short)
    with pytest.raises(OutputError, match=r"chunks\.tsv is not as it was written"):
        copy_results(finished, tmp_path / "out", force=False)
    assert not (tmp_path / "out" / COMMIT_MARK).exists()


def test_a_delivery_that_was_cut_off_is_completed_without_force(finished: Job, tmp_path: Path) -> None:
    out = delivered(finished, tmp_path)
    whole = content(out)
    (out / COMMIT_MARK).unlink()
    (out / "chunks.tsv").unlink()
    copy_results(finished, out, force=False)
    assert content(out) == whole


def test_a_file_of_somebody_else_is_not_replaced_without_force(finished: Job, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "virnucpro.log").write_text("mine")
    with pytest.raises(OutputError, match=r"virnucpro\.log exists already"):
        copy_results(finished, tmp_path / "out", force=False)
    assert content(tmp_path / "out") == {"virnucpro.log": b"mine"}
    (tmp_path / "out" / "chunks.tsv").mkdir()
    with pytest.raises(OutputError, match=r"chunks\.tsv exists already"):
        copy_results(finished, tmp_path / "out", force=True)


def test_what_a_killed_delivery_left_half_copied_goes(finished: Job, tmp_path: Path) -> None:
    half = tmp_path / of_a_killed_process("records.tsv")
    half.touch()
    copy_results(finished, tmp_path, force=False)
    assert not half.exists() and (tmp_path / "records.tsv").exists()


def test_an_empty_path_is_wrong_use_and_not_the_current_folder(
    finished: Job, virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = virnucpro("results", finished.job_id, "-o", "")
    assert ended.code == ExitCode.USAGE and "the path is empty: is a variable not set?" in "".join(ended.err)
    assert not (tmp_path / COMMIT_MARK).exists()


def test_a_link_to_a_file_elsewhere_is_replaced_and_not_followed(finished: Job, tmp_path: Path) -> None:
    out, elsewhere = delivered(finished, tmp_path), tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (out / "records.tsv").unlink()
    (out / "records.tsv").symlink_to(elsewhere)
    copy_results(finished, out, force=True)
    assert elsewhere.read_text() == "mine" and not (out / "records.tsv").is_symlink()


def test_what_older_results_had_and_the_new_ones_have_not_is_removed(
    finished: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = delivered(finished, tmp_path)
    (out / "notes.txt").write_text("mine")
    files = [file for file in results.result_files(finished) if file.name != "DEMONSTRATION.txt"]
    monkeypatch.setattr(results, "result_files", lambda job: files)
    monkeypatch.setattr(results, "_require_delivered", lambda *_: None)
    copy_results(finished, out, force=True)
    assert {file.name for file in out.iterdir()} == {"notes.txt", *(file.name for file in files)}


def test_a_folder_that_a_run_has_takes_no_other_results(finished: Job, virnucpro: Virnucpro, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with RunLock(tmp_path / "out"):
        ended = virnucpro("results", finished.job_id, "-o", tmp_path / "out", "--force")
        assert ended.code == ExitCode.USAGE and "in use by another run" in ended.err[0]
    assert list((tmp_path / "out").iterdir()) == []

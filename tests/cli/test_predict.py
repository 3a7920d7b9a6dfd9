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

from virnucpro_tasks.cli import predict, results
from virnucpro_tasks.cli.work_folder import WORK_FOLDER
from virnucpro_tasks.errors import BackendError, ExitCode
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import JobState, Progress
from virnucpro_tasks.settings import Settings
from virnucpro_tasks.system.owners import Mark, read_mark
from virnucpro_tasks.system.run_lock import LOCK_NAME, RunLock


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


def test_json_tells_where_the_results_are_and_what_they_hold_and_names_nothing_that_is_gone(
    virnucpro: Virnucpro, finished: Job, tmp_path: Path, run_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(ExitCode.OK)
    monkeypatch.chdir(tmp_path)
    ended = virnucpro("predict", SAMPLE, "-o", "out", "--quiet", "--json")
    report = json.loads("\n".join(ended.out))
    counts = json.loads((tmp_path / "out" / "run.json").read_text())["counts"]
    assert (report["output"], report["state"], report["exit_code"]) == (str(tmp_path / "out"), "done", 0)
    assert report["demonstration"] is True
    assert report["records"]["by_status"] == counts["records"]
    assert report["records"]["by_call"]["virus"] == counts["virus_records"]
    assert report["records"]["all"] == sum(counts["records"].values())
    assert WORK_FOLDER not in ended.out and "job_id" not in report and "store" not in report


def test_json_of_a_run_that_can_be_repeated_names_its_work(virnucpro: Virnucpro, tmp_path: Path, run_as: Any) -> None:
    run_as(ExitCode.JOB_FAILED)
    ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "out", "--quiet", "--json")
    report = json.loads("\n".join(ended.out))
    assert (ended.code, report["exit_code"], report["records"]) == (ExitCode.JOB_FAILED, 5, None)
    assert report["store"] == str(tmp_path / "out" / WORK_FOLDER)
    assert (tmp_path / "out" / WORK_FOLDER / "jobs" / report["job_id"]).is_dir()


@pytest.mark.parametrize(("flags", "code"), [((), ExitCode.INCOMPLETE), (("--incomplete-ok",), ExitCode.OK)])
def test_records_without_a_score_can_be_accepted(
    flags: tuple[str, ...], code: ExitCode, virnucpro: Virnucpro, tmp_path: Path, run_as: Any
) -> None:
    run_as(ExitCode.INCOMPLETE)
    ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "out", *flags)
    assert ended.code == code
    assert any("the exit code is 0 as --incomplete-ok asks" in line for line in ended.err) == bool(flags)


def test_a_job_that_fails_is_not_accepted_as_incomplete(virnucpro: Virnucpro, tmp_path: Path, run_as: Any) -> None:
    run_as(ExitCode.JOB_FAILED)
    assert virnucpro("predict", SAMPLE, "-o", tmp_path / "out", "--incomplete-ok").code == ExitCode.JOB_FAILED


def test_an_input_without_records_is_told_once(virnucpro: Virnucpro, tmp_path: Path, run_as: Any) -> None:
    run_as(ExitCode.OK)
    (tmp_path / "empty.fasta").touch()
    ended = virnucpro("predict", tmp_path / "empty.fasta", "-o", tmp_path / "out", "--allow-empty")
    assert ended.code == ExitCode.OK
    assert [line for line in ended.err if "no input holds a record" in line] == [
        "warning: no input holds a record: the tables will have only their header"
    ]
    refused = virnucpro("predict", tmp_path / "empty.fasta", "-o", tmp_path / "other")
    assert refused.code == ExitCode.BAD_INPUT and not (tmp_path / "other").exists()
    assert refused.err[-1].endswith("(--allow-empty gives tables of headers alone)")


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


def test_a_job_that_fails_otherwise_keeps_its_work(virnucpro: Virnucpro, tmp_path: Path, run_as: Any) -> None:
    run_as(ExitCode.JOB_FAILED)
    out = tmp_path / "out"
    assert virnucpro("predict", SAMPLE, "-o", out, "--quiet").code == ExitCode.JOB_FAILED
    assert [path.name for path in out.iterdir()] == [WORK_FOLDER]
    # And the same command finds it
    (work,) = (out / WORK_FOLDER / "jobs").iterdir()
    run_as(ExitCode.OK)
    assert virnucpro("predict", SAMPLE, "-o", out, "--quiet").code == ExitCode.OK
    assert not work.exists() and (out / "run.json").exists()


def test_bad_input_that_was_split_has_shards_to_keep(
    virnucpro: Virnucpro, tmp_path: Path, run_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(ExitCode.BAD_INPUT)
    run_here = predict.run_here

    def after_splitting(settings: Settings, job: Job, **options: Any) -> Progress:
        job.paths.plan.touch()
        return run_here(settings, job, **options)

    monkeypatch.setattr(predict, "run_here", after_splitting)
    assert virnucpro("predict", SAMPLE, "-o", tmp_path / "out", "--quiet").code == ExitCode.BAD_INPUT
    assert (tmp_path / "out" / WORK_FOLDER).exists()


@pytest.mark.parametrize("flags", [[], ["--force"]])
def test_a_folder_that_another_run_has_is_refused_before_anything_is_made(
    virnucpro: Virnucpro, tmp_path: Path, run_as: Any, flags: list[str]
) -> None:
    asked = run_as(ExitCode.OK)
    (tmp_path / "out").mkdir()
    with RunLock(tmp_path / "out"):
        before = sorted((tmp_path / "out").iterdir())
        ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "out" / ".", "--quiet", *flags)
        assert (ended.code, asked) == (ExitCode.USAGE, [])
        assert "out is in use by another run" in ended.err[-1] and "a folder of its own" in ended.err[-1]
        assert sorted((tmp_path / "out").iterdir()) == before


def test_results_that_arrive_while_a_run_waits_for_the_lock_are_not_replaced(
    virnucpro: Virnucpro, tmp_path: Path, run_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = run_as(ExitCode.OK)

    def finished_meanwhile(self: RunLock) -> RunLock:
        (tmp_path / "out" / "run.json").write_text("of another run")
        return self

    monkeypatch.setattr(RunLock, "__enter__", finished_meanwhile)
    monkeypatch.setattr(RunLock, "__exit__", lambda *_: None)
    ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "out", "--quiet")
    assert (ended.code, asked) == (ExitCode.USAGE, [])


def test_a_run_that_was_taken_over_delivers_nothing_and_claims_no_success(
    virnucpro: Virnucpro, tmp_path: Path, run_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(ExitCode.OK)
    run_here = predict.run_here

    def taken_over(*arguments: Any, **options: Any) -> Progress:
        maker = read_mark(tmp_path / "out" / f"{LOCK_NAME}1").maker
        assert maker is not None
        Mark.create(tmp_path / "out" / f"{LOCK_NAME}2", follows=maker.token)
        return run_here(*arguments, **options)

    monkeypatch.setattr(predict, "run_here", taken_over)
    ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "out", "--json")
    assert (ended.code, ended.out) == (ExitCode.USAGE, [])
    assert "taken over by another run" in ended.err[-1] and not any("results are in" in line for line in ended.err)
    assert not (tmp_path / "out" / "run.json").exists() and (tmp_path / "out" / WORK_FOLDER).exists()


def test_results_that_cannot_be_delivered_are_kept_in_the_work_folder(
    virnucpro: Virnucpro, tmp_path: Path, run_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(ExitCode.OK)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(results.Copy, "put", full)
        ended = virnucpro("predict", SAMPLE, "-o", tmp_path / "out")
    assert ended.code == ExitCode.USAGE
    assert "repeat the command" in ended.err[-1] and not any("results are in" in line for line in ended.err)
    # And the same command delivers them, computing nothing
    assert virnucpro("predict", SAMPLE, "-o", tmp_path / "out", "--quiet").code == ExitCode.OK
    assert not (tmp_path / "out" / WORK_FOLDER).exists()


def test_a_short_run_leaves_the_unfinished_work_of_another_command(
    virnucpro: Virnucpro, tmp_path: Path, run_as: Any
) -> None:
    out, other = tmp_path / "out", tmp_path / "other.fasta"
    other.write_text(">a\nACGT\n")
    run_as(ExitCode.JOB_FAILED)
    assert virnucpro("predict", other, "-o", out, "--quiet").code == ExitCode.JOB_FAILED
    (work,) = (out / WORK_FOLDER / "jobs").iterdir()
    run_as(ExitCode.OK)
    ended = virnucpro("predict", SAMPLE, "-o", out)
    assert ended.code == ExitCode.OK
    assert any("keeps the work of another, unfinished command" in line and str(other) in line for line in ended.err)
    assert [path.name for path in (out / WORK_FOLDER / "jobs").iterdir()] == [work.name]


def test_files_of_others_are_replaced_only_by_force(virnucpro: Virnucpro, tmp_path: Path, run_as: Any) -> None:
    asked = run_as(ExitCode.OK)
    out = tmp_path / "out"
    out.mkdir()
    for name in ("records.tsv", "notes.txt"):
        (out / name).write_text("mine")
    ended = virnucpro("predict", SAMPLE, "-o", out, "--quiet")
    assert (ended.code, asked) == (ExitCode.USAGE, [])
    assert "records.tsv exists already, and is no result of this run" in ended.err[-1]
    assert (out / "records.tsv").read_text() == "mine" and not (out / WORK_FOLDER).exists()
    assert virnucpro("predict", SAMPLE, "-o", out, "--quiet", "--force").code == ExitCode.OK
    assert (out / "records.tsv").read_text() != "mine" and (out / "notes.txt").read_text() == "mine"


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


def test_why_a_job_failed_is_said_even_if_the_run_is_to_be_quiet(
    virnucpro: Virnucpro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = replace(
        split(JobState.FAILED, shards_done=1, tokens_done=1, message="the store fails"), exit_code=ExitCode.JOB_FAILED
    )
    monkeypatch.setattr(predict, "run_here", lambda *_, **__: failed)
    assert virnucpro("predict", SAMPLE, "-o", tmp_path / "out", "--quiet").err == ["virnucpro: error: the store fails"]

"""Every option of earlier versions is taken by the command, and does what it promised or says that it has no effect."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Ended, Virnucpro
from cli.snapshots import TOKENS, split
from job import OTHERS, SAMPLE

from virnucpro_tasks.cli import predict
from virnucpro_tasks.cli.earlier_exit_codes import EARLIER_CODES
from virnucpro_tasks.cli.earlier_meaning import SEGMENTS_VARIABLE, among_gpus
from virnucpro_tasks.cli.earlier_options import EARLIER_OPTIONS
from virnucpro_tasks.cli.work_folder import WORK_FOLDER
from virnucpro_tasks.errors import BackendError, ExitCode, OutputError, SettingsError
from virnucpro_tasks.jobs.job import Job, open_job
from virnucpro_tasks.jobs.progress import JobState, Progress
from virnucpro_tasks.settings import Settings


@dataclass
class Run:
    """A command that has run a job: what the run was given, how the command ended, and its output folder."""

    settings: Settings
    job: Job
    devices: str
    quiet: bool
    shows_progress: bool
    ended: Ended
    output: Path

    @property
    def notes(self) -> list[str]:
        return [line for line in self.ended.err if "no effect any more" in line]


Runs = Callable[..., Run]


@pytest.fixture
def run_predict(monkeypatch: pytest.MonkeyPatch, virnucpro: Virnucpro, finished: Job, tmp_path: Path) -> Runs:
    """`virnucpro predict SAMPLE` with arguments and a job that ends at once, with the results of the finished one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SEGMENTS_VARIABLE, "")
    monkeypatch.setattr(predict, "check_engine", lambda *_, **__: ())

    def run(*arguments: object, code: ExitCode = ExitCode.OK, before: tuple[str, ...] = (), expect: int = 0) -> Run:
        asked: list[tuple[Settings, Job, dict[str, Any]]] = []

        def run_here(settings: Settings, job: Job, **options: Any) -> Progress:
            asked.append((settings, job, options))
            if code == ExitCode.OK:
                job.paths.run.write_bytes(finished.paths.run.read_bytes())
                shutil.copytree(finished.paths.results, job.paths.results, dirs_exist_ok=True)
                shutil.copytree(finished.paths.embeddings, job.paths.embeddings, dirs_exist_ok=True)
            return replace(split(JobState.DONE, shards_done=31, tokens_done=TOKENS), exit_code=code)

        monkeypatch.setattr(predict, "run_here", run_here)
        ended = virnucpro(*before, "predict", SAMPLE, *arguments)
        assert ended.code == expect, ended.err
        settings, job, options = (
            asked[0] if asked else (Settings(), finished, dict.fromkeys(("devices", "quiet", "shows_progress")))
        )
        return Run(settings, job, ended=ended, output=settings.store.parent, **options)

    return run


def only_noted(run: Run) -> bool:
    return len(run.notes) == 1


CASES: dict[str, tuple[tuple[str, ...], Callable[[Run], object]]] = {
    "-o": (("-o", "there"), lambda run: run.output == Path("there") and Path("there/run.json").exists()),
    "--output-dir": (("--output-dir", "there"), lambda run: Path("there/run.json").exists()),
    "no -o": ((), lambda run: Path("short_predictions/run.json").exists()),
    "-m": (("-m", "500"), lambda run: run.settings.bundle == "demo"),
    "--model-type": (("--model-type", "500"), lambda run: run.settings.bundle == "demo"),
    "-p": (("-p", "{bundle}"), lambda run: run.settings.bundle == str(BUNDLE)),
    "--model-path": (("-m", "custom", "--model-path", "{bundle}"), lambda run: run.settings.bundle == str(BUNDLE)),
    "--classifier-500": (("--classifier-500", "{bundle}"), lambda run: run.settings.bundle == str(BUNDLE)),
    "--classifier-300": (("--classifier-300", "{bundle}"), lambda run: run.settings.bundle == "demo"),
    "-e": (("-e", "300", "--allow-mismatch"), lambda run: run.job.spec.parameters.chunk_length == 300),
    "--expected-length": (
        ("--expected-length", "300", "--allow-mismatch"),
        lambda run: run.job.spec.parameters.chunk_length == 300,
    ),
    "-d": (("-d", "cpu"), lambda run: run.devices == "cpu"),
    "--device": (("--device", "cuda:1"), lambda run: run.devices == "cuda:1"),
    "-d N": (("-d", "1"), lambda run: run.devices == "1"),
    "-d cuda": (("-d", "cuda"), lambda run: run.devices == "cuda"),
    "-d auto": (("-d", "auto"), lambda run: run.devices == "auto"),
    "--gpus": (("--gpus", "2,3"), lambda run: run.devices == "2,3"),
    "--gpus with --device": (("--gpus", "2,3", "-d", "cuda:1"), lambda run: run.devices == "3"),
    "-b": (("-b", "256"), only_noted),
    "--batch-size": (("--batch-size", "256"), only_noted),
    "-w": (("-w", "4"), only_noted),
    "--num-workers": (("--num-workers", "4"), only_noted),
    "-k": (("-k",), lambda run: any((run.output / "embeddings").iterdir())),
    "--keep-intermediate": (("--keep-intermediate",), lambda run: run.job.spec.parameters.keep_embeddings),
    "--resume": (("--resume",), lambda run: (run.output / "run.json").exists()),
    "-f": (("-f",), lambda run: (run.output / "run.json").exists()),
    "--force": (("--force",), lambda run: (run.output / "run.json").exists()),
    "--force-resume": (("--force-resume",), lambda run: (run.output / "run.json").exists()),
    "--no-progress": (("--no-progress",), lambda run: not run.shows_progress and not run.quiet),
    "--dnabert-batch-size": (("--dnabert-batch-size", "2048"), only_noted),
    "--esm-batch-size": (("--esm-batch-size", "2048"), only_noted),
    "--parallel": (("--parallel",), lambda run: only_noted(run) and run.devices == "auto"),
    "--v1-fallback": (("--v1-fallback",), only_noted),
    "--v1-attention": (("--v1-attention",), lambda run: run.settings.attention == "sdpa"),
    "-t": (("-t", "3"), lambda run: run.settings.threads == 3),
    "--threads": (("--threads", "3"), lambda run: run.settings.threads == 3),
    "--merge-threads": (("--merge-threads", "3"), lambda run: run.settings.threads == 3),
    "--verbose": (("--verbose", "--quiet"), lambda run: not run.quiet and run.ended.err),
    "--quiet": (("--quiet",), lambda run: run.quiet and not run.ended.err),
    "--skip-checkpoint-validation": (("--skip-checkpoint-validation",), only_noted),
    "--dataloader-workers": (("--dataloader-workers", "4"), only_noted),
    "--pin-memory": (("--pin-memory",), only_noted),
    "--expandable-segments": (
        ("--expandable-segments",),
        lambda run: os.environ[SEGMENTS_VARIABLE] == "expandable_segments:True",
    ),
    "--cache-clear-interval": (("--cache-clear-interval", "100"), only_noted),
    "--cuda-streams": (("--cuda-streams",), only_noted),
    "--no-cuda-streams": (("--no-cuda-streams",), only_noted),
    "--persistent-models": (("--persistent-models",), only_noted),
    "--no-persistent-models": (("--no-persistent-models",), only_noted),
    "--layout": (
        ("--layout", "broad"),
        lambda run: same(run, run.output / "short_merged") and run.settings.dialect == "broad",
    ),
    "--exit-codes": (("--exit-codes", "old"), lambda run: True),
}
"""Every spelling, or what is special about one, the arguments, and what shows that they were obeyed."""

WITH_RESULTS = {"-o", "--output-dir", "no -o", "-k", "--resume", "-f", "--force", "--force-resume", "--layout"}
"""Those whose meaning shows in results; the jobs of the others fail, which takes less time."""

BUNDLE = Path(predict.__file__).parents[1] / "models" / "demo_bundle"


def same(run: Run, folder: Path) -> bool:
    names = ("prediction_results.txt", "prediction_results_highestscore.csv")
    return all((folder / name).read_bytes() == (run.output / name).read_bytes() for name in names)


@pytest.mark.parametrize("case", CASES)
def test_each_option_is_obeyed(case: str, run_predict: Runs) -> None:
    arguments, is_obeyed = CASES[case]
    code = ExitCode.OK if case in WITH_RESULTS else ExitCode.JOB_FAILED
    expected = EARLIER_CODES[code] if case == "--exit-codes" else code
    run = run_predict(*(word.format(bundle=BUNDLE) for word in arguments), code=code, expect=expected)
    assert is_obeyed(run), run
    assert len(run.notes) == (is_obeyed is only_noted or case == "--parallel")


def test_every_spelling_is_among_them() -> None:
    listed = {flag for option in EARLIER_OPTIONS for flag in (*option.flags, option.no_flag) if flag}
    assert listed <= CASES.keys()


def test_a_long_command_of_earlier_times(run_predict: Runs) -> None:
    """As their README has it, all at once, with the options before the command."""
    run = run_predict(
        *("-m", "500", "-e", "500", "-o", "out", "-d", "auto", "-b", "256", "-w", "4", "-k", "--resume", "-f"),
        *("--no-progress", "--dnabert-batch-size", "2048", "--parallel", "--gpus", "0,1", "--esm-batch-size", "2048"),
        *("-t", "8", "--verbose", "--dataloader-workers", "4", "--pin-memory", "--expandable-segments"),
        *("--cache-clear-interval", "100", "--cuda-streams", "--persistent-models"),
        before=("-v", "-l", "run.log"),
    )
    assert (run.devices, run.settings.threads, run.settings.log_level) == ("0,1", 8, "DEBUG")
    assert len(run.notes) == 10 and len(set(run.notes)) == 10
    log = Path("run.log").read_text().splitlines()
    assert sum("no effect any more" in line for line in log) == 10
    assert all(" - virnucpro - INFO - " in line for line in log)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("-m", "custom"), "--model-type custom needs --model-path"),
        (("-m", "300"), "no bundle is set for --model-type 300"),
        (("-m", "300", "--bundle", "demo"), "was trained on chunks of 500 bases, and --model-type is 300"),
        (("-m", "300", "-p", "{bundle}"), "was trained on chunks of 500 bases, and --model-type is 300"),
        (("-p", "{bundle}", "--bundle", "demo"), "are two bundles"),
        (("--gpus", "two"), "is not a list of GPUs"),
        (("--gpus", "0", "-d", "1"), "is not one of --gpus 0"),
        (("--layout", "broad", "-i", "{bundle}/bundle.json", "-o", "out"), "leave --layout away"),
        (("-i", "{bundle}/bundle.json"), "there are 2 inputs"),
        (("-b", "many"), "not a valid integer"),
        (
            ("--compat", "original", "--layout", "broad"),
            "--compat original and the dialect broad contradict each other",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_and_makes_nothing(
    arguments: tuple[str, ...], part: str, run_predict: Runs, tmp_path: Path
) -> None:
    run = run_predict(*(word.format(bundle=BUNDLE) for word in arguments), expect=ExitCode.USAGE)
    assert part in run.ended.err[-1]
    assert [path.name for path in tmp_path.iterdir()] == []


def test_force_starts_over_unless_it_is_to_resume(run_predict: Runs) -> None:
    first = run_predict("-o", "out", "--quiet", code=ExitCode.JOB_FAILED, expect=5).job
    assert run_predict("-o", "out", "--quiet", code=ExitCode.JOB_FAILED, expect=5).job.job_id == first.job_id
    kept = run_predict("-o", "out", "--quiet", "-f", "--resume", code=ExitCode.JOB_FAILED, expect=5).job
    assert kept.job_id == first.job_id
    for flag in ("-f", "--force-resume"):
        over = run_predict("-o", "out", "--quiet", flag, code=ExitCode.JOB_FAILED, expect=5).job
        assert over.job_id != kept.job_id and not kept.paths.root.exists()
        kept = over
    # And the next one continues the new one
    assert run_predict("-o", "out", "--quiet").job.job_id == kept.job_id
    assert not (Path("out") / WORK_FOLDER).exists()


def test_a_layout_in_the_way_is_told_before_an_unfinished_run_goes_on(run_predict: Runs) -> None:
    flags = ("-o", "out", "--resume", "--layout", "broad")
    failed = run_predict(*flags, code=ExitCode.JOB_FAILED, expect=5)
    merged = failed.output / f"{SAMPLE.stem}_merged"
    merged.mkdir()
    (merged / "prediction_results.txt").write_text("mine")
    again = run_predict(*flags, expect=ExitCode.USAGE)
    assert "prediction_results.txt exists already" in again.ended.err[-1]
    # It has not begun to compute.
    assert again.quiet is None and (merged / "prediction_results.txt").read_text() == "mine"


def test_advice_to_repeat_a_command_that_starts_over_names_resume(
    run_predict: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("full", hint="repeat the command")

    monkeypatch.setattr(predict, "copy_results", full)
    assert (
        run_predict("--force", expect=2)
        .ended.err[-1]
        .endswith("(repeat the command; with --resume it does not start over)")
    )
    assert run_predict("--force", "--resume", expect=2).ended.err[-1].endswith("(repeat the command)")


def test_work_of_another_command_stays_when_one_starts_over(run_predict: Runs) -> None:
    other = run_predict("-o", "out", "-e", "300", "--allow-mismatch", "--quiet", code=ExitCode.JOB_FAILED, expect=5).job
    run_predict("-o", "out", "--quiet", "--force")
    assert open_job(other.paths.store, other.job_id).job_id == other.job_id


def test_a_finished_run_is_left_alone_and_named(virnucpro: Virnucpro, finished: Job, tmp_path: Path) -> None:
    """Results of this very work are recognised by what they say of it, and only if they are as they were written."""
    out = tmp_path / "out"
    shutil.copytree(finished.paths.results, out)
    shutil.copyfile(finished.paths.run, out / "run.json")
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    flags = ("--keep-embeddings",)
    same = virnucpro("predict", SAMPLE, "-o", out, "--resume", *flags)
    assert (same.code, same.err[-1]) == (ExitCode.OK, f"nothing is left to do: results are in {out}"), same
    # And as JSON, with the tables where a script looks for them, and records without a score accepted
    report = json.loads((out / "run.json").read_text()) | {"exit_code": 6}
    (out / "run.json").write_text(json.dumps(report))
    again = ("predict", SAMPLE, "-o", out, "--resume", *flags, "--layout", "original", "--json")
    shutil.copyfile(SAMPLE, tmp_path / SAMPLE.name)
    asked = virnucpro("predict", tmp_path / SAMPLE.name, *again[2:])
    assert asked.code == ExitCode.INCOMPLETE and json.loads("\n".join(asked.out))["state"] == "done"
    assert virnucpro("predict", tmp_path / SAMPLE.name, *again[2:], "--incomplete-ok").code == ExitCode.OK
    merged = tmp_path / "short_merged" / "prediction_results.txt"
    assert merged.read_bytes() == (out / "prediction_results.txt").read_bytes()
    (out / "run.json").write_bytes(before["run.json"])
    for arguments in ((SAMPLE, "-e", "300", "--allow-mismatch"), (OTHERS,)):
        other = virnucpro("predict", *arguments, "-o", out, "--resume", *flags)
        assert other.code == ExitCode.USAGE and "holds results of other input" in other.err[-1]
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    (out / "records.tsv").write_text("changed")
    assert "records.tsv is not as it was written" in virnucpro("predict", SAMPLE, "-o", out, "--resume").err[-1]
    report = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(report | {"inputs": "none", "versions": []}))
    assert virnucpro("predict", SAMPLE, "-o", out, "--resume").code == ExitCode.USAGE
    (out / "run.json").write_text("{")
    assert "run.json is not as it was written" in virnucpro("predict", SAMPLE, "-o", out, "--resume").err[-1]


@pytest.mark.parametrize(
    ("devices", "gpus", "expected"),
    [
        ("auto", None, "auto"),
        ("auto", "2,3", "2,3"),
        ("gpu", " 2 , 3 ", "2,3"),
        ("cpu", "2,3", "cpu"),
        ("0", "5", "5"),
        ("CUDA:1,gpu:0,cpu", "2,3", "3,2,cpu"),
        ("cuda", "GPU-12ab,MIG-3c", "GPU-12ab,MIG-3c"),
        ("GPU-12ab", "2", "GPU-12ab"),
    ],
)
def test_devices_count_among_the_listed_gpus(devices: str, gpus: str | None, expected: str) -> None:
    assert among_gpus(devices, gpus) == expected


@pytest.mark.parametrize("gpus", ["", ",", "0,", "-1", "0;1", "cuda:0", "1.5", "٣", "0\x1b", "9" * 20, "all"])
def test_what_is_no_list_of_gpus_is_refused(gpus: str) -> None:
    with pytest.raises(SettingsError, match="is not a list of GPUs"):
        among_gpus("auto", gpus)
    with pytest.raises(BackendError):
        among_gpus("7", "0")

"""Work of an earlier tool that died is resumed by `predict --resume`, with the results of an undisturbed run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Virnucpro
from earlier.deaths import CASES, WITHOUT_RESULTS, Finished
from earlier.folders import Computed
from job import make_job
from known_vectors import KnownWorker

from virnucpro_tasks.cli import predict
from virnucpro_tasks.cli.earlier_layout import CLASSIC_FILES
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import Progress, job_progress
from virnucpro_tasks.pipeline import finish
from virnucpro_tasks.settings import Settings

Resumed = Callable[..., dict[str, Any]]


def classic_files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in CLASSIC_FILES}


@pytest.fixture(scope="session")
def undisturbed(earlier_run: Computed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The classic files of a run without earlier work, by name."""
    settings = Settings(store=tmp_path_factory.mktemp("undisturbed"), bundle="demo", precision="fp32")
    job = make_job(settings, earlier_run.input)
    KnownWorker(settings, earlier_run).run(job)
    return classic_files(job.paths.results)


@pytest.fixture
def resumed(virnucpro: Virnucpro, earlier_run: Computed, monkeypatch: pytest.MonkeyPatch) -> Resumed:
    """`virnucpro predict --resume` in a folder, in this process and without derived files; gives its run.json."""

    def run_here(settings: Settings, job: Job, **_: Any) -> Progress:
        KnownWorker(settings, earlier_run).run(job)
        return job_progress(job)

    monkeypatch.setattr(predict, "run_here", run_here)
    monkeypatch.setattr(predict, "check_engine", lambda *_, **__: ())
    monkeypatch.setattr(finish, "write_derived", lambda *_: None)

    def run(folder: Path, *more: str, code: ExitCode = ExitCode.OK) -> dict[str, Any]:
        ended = virnucpro("predict", earlier_run.input, "-o", folder, "--resume", "--precision", "fp32", *more)
        assert ended.code == code, ended.err
        return json.loads((folder / "run.json").read_bytes()) if code is ExitCode.OK else {"said": ended.err[-1]}

    return run


@pytest.mark.parametrize(("tool", "stage", "death"), [case for case in CASES if case not in WITHOUT_RESULTS])
def test_all_that_is_whole_is_taken_over_and_results_are_those_of_an_undisturbed_run(
    tool: str,
    stage: str,
    death: str,
    resumed: Resumed,
    undisturbed: dict[str, bytes],
    finished_runs: dict[str, Finished],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "died"
    died = finished_runs[tool].died(folder, stage, death)
    report = resumed(folder)
    assert classic_files(folder) == undisturbed
    if "imported" not in report:
        # Nothing in the folder tells that the original was there.
        assert tool == "original" and not died.whole
        return
    died.require_account(report["imported"])
    counts = Counter(report["engine"])
    assert counts["imported"] + counts["compared"] == sum(report["imported"]["found"].values())
    assert counts["differing"] == counts["refused"] == 0


def test_tables_of_the_earlier_tool_are_replaced_where_a_script_looks_for_them_if_that_is_asked_for(
    resumed: Resumed, finished_runs: dict[str, Finished], tmp_path: Path
) -> None:
    folder = tmp_path / "died"
    merged = folder / "reads_merged"
    finished_runs["package 1.0"].died(folder, "CONSENSUS", "before the state")
    before = classic_files(merged)
    refused = resumed(folder, "--layout", "broad", code=ExitCode.USAGE)["said"]
    assert "prediction_results.txt exists already" in refused and "--force" in refused
    assert classic_files(merged) == before and not (folder / "run.json").exists()
    report = resumed(folder, "--layout", "broad", "--force")
    assert report["imported"]["found"] == report["imported"]["wanted"]
    assert classic_files(merged) == classic_files(folder) != before

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from cli.conftest import Virnucpro

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.system.files import file_sha256


@pytest.fixture
def results(finished: Job, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished.paths.results, tmp_path / "results"))


def test_the_page_of_a_job_is_made_again_with_the_same_bytes(
    virnucpro: Virnucpro, results: Path, tmp_path: Path
) -> None:
    page = results / "report.html"
    written, run = page.read_bytes(), (results / "run.json").read_bytes()
    page.unlink()
    ended = virnucpro("report", results)
    assert (ended.code, ended.err) == (ExitCode.OK, [f"report {page}"])
    assert page.read_bytes() == written and (results / "run.json").read_bytes() == run
    assert virnucpro("report", results, "-o", tmp_path / "copy.html", "-q").err == []
    assert (tmp_path / "copy.html").read_bytes() == written
    shown = virnucpro("report", results, "-o", "-")
    assert shown.code == ExitCode.OK and "\n".join(shown.out).strip() == written.decode().strip()


@pytest.mark.parametrize("by_name", [False, True])
def test_run_json_and_the_crate_have_the_digest_of_a_new_page(
    virnucpro: Virnucpro, results: Path, tmp_path: Path, by_name: bool
) -> None:
    run = json.loads((results / "run.json").read_bytes())
    run["warnings"] = ["another text"]
    (results / "run.json").write_text(json.dumps(run))
    (tmp_path / "link").symlink_to(results)
    named = ["--output", tmp_path / "link" / "report.html"] if by_name else []
    assert virnucpro("report", results, *named).code == ExitCode.OK
    digests = json.loads((results / "run.json").read_bytes())["times"]["sha256"]
    assert digests["report.html"] == file_sha256(results / "report.html")
    assert digests["report.html"] in (results / "ro-crate-metadata.json").read_text()
    assert digests["ro-crate-metadata.json"] == file_sha256(results / "ro-crate-metadata.json")


def test_a_file_of_others_is_replaced_by_force_alone(virnucpro: Virnucpro, results: Path, tmp_path: Path) -> None:
    other = tmp_path / "mine.html"
    other.write_text("mine")
    refused = virnucpro("report", results, "-o", other)
    assert refused.code == ExitCode.USAGE and "exists already (choose another name or use --force)" in refused.err[0]
    assert other.read_text() == "mine"
    assert virnucpro("report", results, "-o", other, "--force").code == ExitCode.OK
    folder = virnucpro("report", results, "-o", tmp_path, "--force")
    assert folder.code == ExitCode.USAGE and "exists already and is a folder" in folder.err[0]
    nowhere = virnucpro("report", results, "-o", tmp_path / "new" / "x.html")
    assert nowhere.code == ExitCode.USAGE and "there is no folder" in nowhere.err[0]


def test_no_other_result_is_replaced(virnucpro: Virnucpro, results: Path) -> None:
    for file in sorted(results.iterdir()):
        if file.name != "report.html":
            content = file.read_bytes()
            refused = virnucpro("report", results, "-o", file, "--force")
            assert refused.code == ExitCode.USAGE and "is where a result of this name goes" in refused.err[0]
            assert file.read_bytes() == content


def test_a_full_disk_is_told(
    virnucpro: Virnucpro, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("virnucpro_tasks.system.files.fsync", refuse)
    ended = virnucpro("report", results, "-o", tmp_path / "x.html")
    assert ended.code == ExitCode.USAGE and "x.html cannot be written: No space left on device" in ended.err[0]


def test_what_is_no_folder_of_results_is_refused(virnucpro: Virnucpro, results: Path, tmp_path: Path) -> None:
    nothing = virnucpro("report", tmp_path / "none")
    assert nothing.code == ExitCode.BAD_INPUT and "there is no run.json" in nothing.err[0]
    run = json.loads((results / "run.json").read_bytes())
    del run["model"]
    (results / "run.json").write_text(json.dumps(run))
    lacking = virnucpro("report", results)
    assert lacking.code == ExitCode.BAD_INPUT and "does not tell the model" in lacking.err[0]
    (results / "run.json").write_text("{}")
    assert virnucpro("report", results).code == ExitCode.JOB_FAILED


def test_results_of_an_earlier_version_say_so(virnucpro: Virnucpro, results: Path, tmp_path: Path) -> None:
    run = json.loads((results / "run.json").read_bytes())
    del run["parameters"]["outputs"]
    run["times"] = {name: run["times"][name] for name in ("created_at", "finished_at", "seconds", "finishing_seconds")}
    (results / "run.json").write_text(json.dumps(run))
    table = results / "records.tsv"
    table.write_bytes(b"".join(line.rsplit(b"\t", 2)[0] + b"\n" for line in table.read_bytes().splitlines()))
    assert virnucpro("report", results, "-o", tmp_path / "x.html").code == ExitCode.OK
    assert "come from an earlier version" in (tmp_path / "x.html").read_text()

"""`--samples`: what is refused, and what is delivered."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Virnucpro
from job import SAMPLE, run_job
from output.tables import read_table
from reads.bam_files import Read, write_bam

from virnucpro_tasks.cli import predict, results
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import Progress, job_progress
from virnucpro_tasks.output.tables import TABLES
from virnucpro_tasks.report.derived import DERIVED_FILES
from virnucpro_tasks.settings import Settings

NAMES = {*(table.name for table in TABLES), "DEMONSTRATION.txt"}


@pytest.fixture
def sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sheet of two small samples; runs are done in this process."""
    first, second = SAMPLE.read_bytes().split(b">")[1:3]
    (tmp_path / "a.fa").write_bytes(b">" + first)
    (tmp_path / "b.fa").write_bytes(b">" + second)
    file = tmp_path / "sheet.csv"
    file.write_text("sample,file\nA,a.fa\nB,b.fa\n")

    def run_here(settings: Settings, job: Job, **_: Any) -> Progress:
        run_job(job, settings)
        return job_progress(job)

    monkeypatch.setattr(predict, "run_here", run_here)
    return file


def delivered(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*")}


def expected(*samples: str) -> set[str]:
    joint = {"records.tsv", "chunks.tsv", "samples.tsv", "run.json", "virnucpro.log", "DEMONSTRATION.txt"}
    joint |= {file.name for file in DERIVED_FILES}
    return joint | set(samples) | {f"{sample}/{name}" for sample in samples for name in NAMES}


def test_results_lie_by_sample_and_are_replaced_as_a_whole(virnucpro: Virnucpro, sheet: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = virnucpro("predict", "--samples", sheet, "-o", out, "-q")
    assert (ended.code, ended.out, ended.err) == (ExitCode.OK, [], [])
    assert delivered(out) == expected("A", "B")
    assert [row["sample"] for row in read_table(out / "records.tsv")] == ["A", "B"]
    (out / "B" / "mine.txt").write_text("mine")
    (out / "A" / "gone").mkdir()
    (out / "A" / "gone").rmdir()
    sheet.write_text("sample,file\nC,a.fa\n")
    assert virnucpro("predict", "--samples", sheet, "-o", out, "-q").code == ExitCode.USAGE
    assert virnucpro("predict", "--samples", sheet, "-o", out, "-q", "--force").code == ExitCode.OK
    # Folders of samples that are gone go too, unless they hold files of others
    assert delivered(out) == expected("C") | {"B", "B/mine.txt"}
    assert virnucpro("predict", tmp_path / "a.fa", "-o", out, "-q", "--force").code == ExitCode.OK
    assert not (out / "samples.tsv").exists() and not (out / "C").exists()


def test_files_of_others_in_the_folder_of_a_sample_are_not_replaced(
    virnucpro: Virnucpro, sheet: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "A").mkdir(parents=True)
    (out / "A" / "records.tsv").write_text("mine")
    ended = virnucpro("predict", "--samples", sheet, "-o", out, "-q")
    assert ended.code == ExitCode.USAGE and "A/records.tsv exists already, and is no result" in ended.err[-1]
    (out / "A" / "records.tsv").unlink()
    (out / "A").rmdir()
    (out / "A").write_text("mine")
    ended = virnucpro("predict", "--samples", sheet, "-o", out, "-q", "--force")
    assert ended.code == ExitCode.USAGE and "out/A exists already, and is no folder" in ended.err[-1]
    assert delivered(out) == {"A"}


def test_a_delivery_that_fails_leaves_no_folder_of_a_sample(
    virnucpro: Virnucpro, sheet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(results.Copy, "put", full)
        assert virnucpro("predict", "--samples", sheet, "-o", out, "-q").code == ExitCode.USAGE
    assert {file.name for file in out.iterdir()} == {".virnucpro-work"}
    (work,) = (out / ".virnucpro-work" / "jobs").iterdir()
    copy = virnucpro("results", work.name, "--store", out / ".virnucpro-work", "-o", tmp_path / "copy", "--json")
    assert copy.code == ExitCode.OK and delivered(tmp_path / "copy") == expected("A", "B")
    files = json.loads("\n".join(copy.out))["files"]
    assert {str(Path(file).relative_to(tmp_path / "copy")) for file in files} == expected("A", "B") - {"A", "B"}


def test_a_sheet_stands_for_all_inputs(virnucpro: Virnucpro, sheet: Path, tmp_path: Path) -> None:
    for more in ((SAMPLE,), ("-i", SAMPLE)):
        ended = virnucpro("predict", *more, "--samples", sheet, "-o", tmp_path / "out")
        assert ended.code == ExitCode.USAGE and "exclude each other" in ended.err[-1]
    assert not (tmp_path / "out").exists()


def test_a_sheet_is_not_replaced_by_the_results(virnucpro: Virnucpro, sheet: Path, tmp_path: Path) -> None:
    named_alike = sheet.rename(tmp_path / "samples.tsv")
    ended = virnucpro("predict", "--samples", named_alike, "-o", tmp_path, "--force")
    assert ended.code == ExitCode.USAGE and "is where a result of this name goes" in ended.err[-1]
    assert named_alike.read_text().startswith("sample,file")


def test_no_input_is_replaced_by_the_results(virnucpro: Virnucpro, sheet: Path, tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    for name in ("chunks.tsv", "A/records.tsv"):
        content = (tmp_path / "a.fa").read_bytes()
        (tmp_path / name).write_bytes(content)
        (tmp_path / "link.fa").unlink(missing_ok=True)
        (tmp_path / "link.fa").symlink_to(tmp_path / name)
        sheet.write_text("sample,file\nA,link.fa\n")
        inputs = ["--samples", sheet] if "/" in name else [tmp_path / "b.fa", tmp_path / "link.fa"]
        for command in ("predict", "submit"):
            ended = virnucpro(command, *inputs, "-o", tmp_path, "--force")
            assert ended.code == ExitCode.USAGE and "link.fa is where a result of this name goes" in ended.err[-1]
        assert (tmp_path / name).read_bytes() == content
    (tmp_path / "circle").symlink_to("circle")
    ended = virnucpro("predict", tmp_path / "circle", "-o", tmp_path, "--force")
    assert ended.code == ExitCode.BAD_INPUT


def test_a_fault_of_the_sheet_ends_the_command_before_anything_is_made(
    virnucpro: Virnucpro, sheet: Path, tmp_path: Path
) -> None:
    sheet.write_text("sample,file\nA,a.fa\n../x,b.fa\n")
    ended = virnucpro("predict", "--samples", sheet, "-o", tmp_path / "out")
    assert ended.code == ExitCode.BAD_INPUT and f"{sheet}, line 3: sample '../x'" in ended.err[-1]
    assert not (tmp_path / "out").exists()


def test_bam_without_pysam_ends_the_command_before_anything_is_made(
    virnucpro: Virnucpro, sheet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bam(tmp_path / "a.fa", Read("r", "ACGT" * 30))
    monkeypatch.setitem(sys.modules, "pysam", None)
    for inputs in ([tmp_path / "a.fa"], ["--samples", sheet]):
        ended = virnucpro("predict", *inputs, "-o", tmp_path / "out")
        assert ended.code == ExitCode.USAGE and "pip install '.[bam]'" in ended.err[-1]
    assert not (tmp_path / "out").exists()

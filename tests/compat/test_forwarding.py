"""The command lines of the original and of the container become those of `virnucpro`, and end as they did."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pysam
import pytest
from job import SAMPLE, run_job
from virnucpro import container, forward
from virnucpro.container import call_of
from virnucpro.prediction import forwarded

from virnucpro_tasks.cli import predict
from virnucpro_tasks.jobs.job import Job
from virnucpro_tasks.jobs.progress import Progress, job_progress
from virnucpro_tasks.settings import Settings

COMPAT = Path(container.__file__).parents[1]


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[list[str]]:
    """Jobs run in this process, with the demonstration, and no workers; the devices that were asked for."""
    devices: list[str] = []
    monkeypatch.setenv("VIRNUCPRO_BUNDLE", "demo")

    def run(settings: Settings, job: Job, **options: Any) -> Progress:
        devices.append(options["devices"])
        run_job(job, settings)
        return job_progress(job)

    monkeypatch.setattr(predict, "run_here", run)
    monkeypatch.setattr("sys.argv", list(sys.argv))
    yield devices


@pytest.fixture
def empty_bam(tmp_path: Path) -> Path:
    file = tmp_path / "input.bam"
    with pysam.AlignmentFile(str(file), "wb", header={"HD": {"VN": "1.6"}}):
        pass
    return file


def test_the_positional_form_of_the_original_gives_its_files(
    run_here: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The classifier is not there: the bundle of its length is used, and that is said."""
    reads = tmp_path / "run.family" / "reads.fa"
    reads.parent.mkdir()
    reads.write_bytes(SAMPLE.read_bytes())
    model = tmp_path / "500_model.pth"
    assert forward.virnucpro(forwarded([str(reads), "500", str(model), "-d", "cpu", "-b", "256"])) == 0
    said = capsys.readouterr().err
    assert f"there is no {model}: the bundle that is set for chunks of 500 is used" in said
    assert "--batch-size has no effect any more" in said
    merged = reads.parent / "reads_merged"
    for name in ("prediction_results.txt", "prediction_results_highestscore.csv"):
        assert (merged / name).read_bytes() == (reads.parent / "reads_predictions" / name).read_bytes()
    assert sorted(path.name for path in reads.parent.iterdir()) == ["reads.fa", "reads_merged", "reads_predictions"]
    # Another time it is refused, with the code of before, and nothing is changed
    before = (merged / "prediction_results.txt").stat().st_mtime_ns
    assert forward.virnucpro(forwarded([str(reads), "500", str(model)])) == 1
    assert (merged / "prediction_results.txt").stat().st_mtime_ns == before
    assert run_here == ["cpu"]


def test_an_empty_bam_gives_a_table_of_its_header(run_here: list[str], empty_bam: Path, tmp_path: Path) -> None:
    words = (str(empty_bam), str(tmp_path / "output.tsv"), "--expected-length", "500", "--no-gpu", "--gpus", "0,1")
    call = call_of([*words, "--parallel"])
    assert container.run(call) == 0
    table = b"Modified_ID\tIs_Virus\tmax_score_0\tmax_score_1\n"
    assert call.output.read_bytes() == table and call.output.stat().st_mode & 0o777 == 0o644
    # Again: nothing is left to do
    assert container.run(call_of(words)) == 0
    assert run_here == ["cpu"]
    # The other table of the same run
    call.output.unlink()
    assert container.run(call_of([*words, "--table", "frames"])) == 0
    assert call.output.read_bytes() == b"Sequence_ID\tPrediction\tscore1\tscore2\n"
    # A table of somebody's stays
    call.output.write_text("mine")
    assert container.run(call_of(words)) == 1 and call.output.read_text() == "mine"
    assert container.run(call_of([*words, "--force"])) == 0 and call.output.read_bytes() == table
    assert sorted(path.name for path in tmp_path.iterdir() if path != tmp_path / "store") == [
        *("input.bam", "output.tsv", "output.tsv.virnucpro")
    ]


def test_a_table_of_others_is_told_before_anything_is_computed(
    run_here: list[str], empty_bam: Path, tmp_path: Path
) -> None:
    (tmp_path / "output.tsv").write_text("mine")
    assert container.run(call_of([str(empty_bam), str(tmp_path / "output.tsv")])) == 1
    assert run_here == [] and not (tmp_path / "output.tsv.virnucpro").exists()


def test_the_input_is_never_replaced(empty_bam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = empty_bam.read_bytes()
    link = empty_bam.with_name("link.tsv")
    link.hardlink_to(empty_bam)
    for output in (empty_bam, link):
        assert container.run(container.call_of([str(empty_bam), str(output), "--no-gpu", "--force"])) == 1
        assert "is the input" in capsys.readouterr().err
    assert empty_bam.read_bytes() == before and not list(empty_bam.parent.glob("*.virnucpro"))


def test_a_folder_is_no_place_for_the_table(run_here: list[str], empty_bam: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for more in ([], ["--force"]):
        assert container.run(call_of([str(empty_bam), str(tmp_path / "out"), *more])) == 1
    assert run_here == [] and not (tmp_path / "out.virnucpro").exists()


def test_a_classifier_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        forwarded(["a.fa", "500", "nothere.pth"])
    assert ended.value.code == 1 and "there is no nothere.pth" in capsys.readouterr().err


def test_failures_have_the_codes_of_before(run_here: list[str], tmp_path: Path) -> None:
    assert container.run(call_of([str(tmp_path / "absent.bam"), str(tmp_path / "output.tsv")])) == 1
    assert forward.virnucpro(forwarded([str(tmp_path / "absent.fa"), "500", "500_model.pth"])) == 1
    assert list(tmp_path.rglob("*.tsv")) == []


@pytest.mark.parametrize(
    ("arguments", "flags", "inputs"),
    [
        (["a.bam", "o.tsv"], [], ["a.bam"]),
        (["--gpus", "0,1", "a.bam", "o.tsv", "--parallel"], ["--gpus 0,1", "--parallel"], ["a.bam"]),
        (["--batch-size", "8", "a.bam", "o.tsv"], ["--batch-size 8"], ["a.bam"]),
        (["-b8", "a.bam", "--esm-batch-size=9", "o.tsv"], ["-b8", "--esm-batch-size=9"], ["a.bam"]),
        (["a.bam", "o.tsv", "--no-cuda-streams", "-k"], ["--no-cuda-streams", "-k"], ["a.bam"]),
        (["a.bam", "o.tsv", "--expected-length", "300"], ["--expected-length 300", "--model-type 300"], ["a.bam"]),
        (["a.bam", "o.tsv", "--expected=300", "--no-g"], ["--model-type 300", "--device cpu"], ["a.bam"]),
        (["--expected-len", "300", "a.bam", "o.tsv"], ["--expected-length 300", "--model-type 300"], ["a.bam"]),
        (["a.bam", "o.tsv", "--expected-length=150"], ["--expected-length 150"], ["a.bam"]),
        (["--", "-a.bam", "o.tsv"], [], ["-a.bam"]),
        (["-", "o.tsv", "-d", "cpu"], ["-d cpu"], ["-"]),
    ],
)
def test_options_of_predict_are_handed_on_wherever_they_stand(
    arguments: list[str], flags: list[str], inputs: list[str]
) -> None:
    call = call_of(arguments)
    text = " ".join(call.arguments)
    assert all(flag in text for flag in flags), text
    assert list(call.arguments[call.arguments.index("--") + 1 :]) == inputs
    assert call.output == Path("o.tsv") and call.table.parent == Path("o.tsv.virnucpro")
    assert ("--model-type" in call.arguments) == any("--model-type" in flag for flag in flags)


def test_a_model_that_is_named_counts_more_than_the_length() -> None:
    for model in (["--bundle", "demo"], ["-m", "custom"], ["--model-path=x"]):
        assert "--model-type" not in call_of(["a", "o", "--expected-length", "300", *model]).arguments


@pytest.mark.parametrize("parse", [forwarded, call_of])
@pytest.mark.parametrize("arguments", [[], ["a"], ["a", "b", "c", "d"], ["a", "many", "c"]])
def test_wrong_use_gives_2(parse: Callable[[list[str]], Any], arguments: list[str]) -> None:
    if parse is call_of and len(arguments) == 3:
        arguments = ["a", "b", "--expected-length", "many"]
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize("words", [["--expected-lenght", "300"], ["--nothing"], ["--nothing=1"]])
@pytest.mark.parametrize("parse", [call_of, forwarded])
def test_an_unknown_option_is_named(
    parse: Callable[[list[str]], Any], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["a.fa", "500", *words, "500_model.pth"])
    assert ended.value.code == 2
    assert f"there is no option {words[0].partition('=')[0]}" in capsys.readouterr().err


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "virnucpro", "--version"],
        cwd=COMPAT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "virnucpro,"), done.stderr

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from benchmarks.accuracy.__main__ import main
from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.heads import intervals

FILES = {"contigs.fasta", "contigs.tsv", "accuracy.tsv", "accuracy.md", "accuracy.svg", "false_discoveries.tsv"}


def arguments(labelled: tuple[Path, Path], output: Path, *more: str) -> list[str]:
    fasta, table = labelled
    given = [str(fasta), "--labels", str(table), "--output", str(output), "--count", "60"]
    return [*given, "--lengths", "300-1200", "400", *more]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are not what is tested here, and take most of the time."""
    monkeypatch.setattr(intervals, "RESAMPLES", 20)


@pytest.fixture
def told(labelled: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of an earlier run: a table as `predict` writes it, right about all contigs."""
    monkeypatch.setenv("PATH", "")
    assert main(arguments(labelled, tmp_path / "cut", "--only-cut")) == ExitCode.OK
    with (tmp_path / "cut" / "contigs.tsv").open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    table = tmp_path / "records.tsv"
    lines = [f"{row['id']}\t{0.9 if row['label'] == 'virus' else 0.1}\t{row['label']}\n" for row in rows]
    table.write_text("record_id\tvirus_score\tcall\n" + "".join(lines))
    return table


def test_results_that_are_there_are_judged_beside_baselines(
    labelled: tuple[Path, Path], told: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    given = ("--results", f"mine=virnucpro={told}", "--lengths", "300-1200")
    for output in ("one", "two"):
        assert main(arguments(labelled, tmp_path / output, *given)) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "| mine |" in shown and "Left out: geNomad: genomad is not on PATH" in shown
    assert "Left out: Jaeger: jaeger is not on PATH" in shown
    one, two = tmp_path / "one", tmp_path / "two"
    assert {path.name for path in one.iterdir()} == FILES | {"tools.json"}
    # The same arguments give the same files.
    for name in FILES | {"tools.json"}:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    with (one / "accuracy.tsv").open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    found = {row["tool"]: row for row in rows if (row["lengths"], row["part"]) == ("300-1200", "all")}
    assert found["mine"]["auroc"] == "1.0" and found["mine"]["scored"] == "60"
    # The made-up viruses have more A and T.
    assert float(found["4-mers"]["auroc"]) > 0.9 and float(found["longest open reading frame"]["auroc"]) < 0.5
    assert found["longest open reading frame"]["recall_of_calls"] == "NA"
    assert json.loads((one / "tools.json").read_text())["scores"]["mine"] == "virus_score"


def test_splits_choose_what_is_cut(labelled: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "genera.txt").write_text("Genus0\nGenus1\n")
    cut = ("--only-cut", "--genera", str(tmp_path / "genera.txt"))
    assert main(arguments(labelled, tmp_path / "cut", *cut)) == ExitCode.OK
    with (tmp_path / "cut" / "contigs.tsv").open(newline="") as handle:
        groups = {int(row["group"].removeprefix("g")) for row in csv.DictReader(handle, delimiter="\t")}
    assert {group % 4 for group in groups} == {0, 1}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--results", "mine=magic=records.tsv"), "'magic' is none of virnucpro, genomad, jaeger"),
        (("--results", "mine=virnucpro=nowhere.tsv"), "has 0 files records.tsv, not one"),
        (("--results", "mine"), "'mine' is not NAME="),
        (("--ours", "mine"), "'mine' is not NAME="),
        (("--after", "2050"), "no record of viruses is left"),
        (("--genera", "nowhere"), "nowhere: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    more: tuple[str, str], says: str, labelled: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(arguments(labelled, tmp_path / "out", *more)) == ExitCode.BAD_INPUT
    assert says in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_records_that_are_contigs_are_not_cut(labelled: tuple[Path, Path], tmp_path: Path) -> None:
    assert main(arguments(labelled, tmp_path / "out", "--whole", "--only-cut")) == ExitCode.OK
    assert (tmp_path / "out" / "contigs.fasta").read_bytes() == labelled[0].read_bytes()


def test_results_are_not_written_over(labelled: tuple[Path, Path], tmp_path: Path) -> None:
    assert main(arguments(labelled, tmp_path)) == ExitCode.USAGE


GENOMAD = """#!{python}
import pathlib, sys
assert sys.argv[1:3] == ["end-to-end", "--cleanup"] and sys.argv[-1] == "the database"
contigs, folder = pathlib.Path(sys.argv[-3]), pathlib.Path(sys.argv[-2])
names = [line[1:] for line in contigs.read_text().splitlines() if line.startswith(">")]
(folder / "contigs_summary").mkdir(parents=True)
(folder / "contigs_aggregated_classification").mkdir()
scores = "".join(f"{{name}}\\t0.2\\t0.1\\t0.7\\n" for name in names)
header = "seq_name\\tchromosome_score\\tplasmid_score\\tvirus_score\\n"
table = "contigs_aggregated_classification/contigs_aggregated_classification.tsv"
(folder / table).write_text(header + scores)
called = "".join(f"{{name}}\\t0.7\\tNA\\n" for name in names[::2])
(folder / "contigs_summary/contigs_virus_summary.tsv").write_text("seq_name\\tvirus_score\\tfdr\\n" + called)
"""


def test_another_tool_on_the_path_is_run(
    labelled: tuple[Path, Path], told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "genomad").write_text(GENOMAD.format(python=sys.executable))
    (programs / "genomad").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    given = ("--results", f"mine=virnucpro={told}", "--no-baselines", "--genomad-database", "the database")
    assert main(arguments(labelled, tmp_path / "out", *given)) == ExitCode.OK
    with (tmp_path / "out" / "accuracy.tsv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle, delimiter="\t") if row["tool"] == "geNomad"]
    whole = rows[0]
    assert (whole["part"], whole["scored"], whole["auroc"]) == ("all", "60", "0.5")
    # It calls every second contig, and these are the others: the first contig is one.
    assert (whole["recall_of_calls"], whole["false_positive_rate_of_calls"]) == ("0.0", "1.0")


@pytest.mark.service
@pytest.mark.slow
def test_a_bundle_is_run_and_judged(labelled: tuple[Path, Path], tmp_path: Path) -> None:
    ours = ("--ours", "tiny=--bundle demo --devices cpu", "--no-baselines")
    assert main(arguments(labelled, tmp_path / "out", *ours)) == ExitCode.OK
    with (tmp_path / "out" / "accuracy.tsv").open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert {row["tool"] for row in rows} == {"tiny"}
    (whole,) = (row for row in rows if (row["lengths"], row["part"]) == ("400", "all"))
    assert whole["records"] == "60" and 0 < int(whole["scored"]) <= 60
    assert (tmp_path / "out" / "tools" / "tiny" / "results" / "records.tsv").is_file()

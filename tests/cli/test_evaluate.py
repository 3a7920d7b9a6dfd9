from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cli.conftest import Virnucpro
from job import OTHERS, SAMPLE

from virnucpro_tasks.cli import evaluate
from virnucpro_tasks.cli.labelled import Labelled
from virnucpro_tasks.errors import ExitCode

REPORT = {"records": 2, "all": {"auroc": 0.9}, "warnings": ["only 2 groups of viruses"]}


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Scores without a model: the ids of the records, which of them have a score, and what was asked for."""
    found = SimpleNamespace(
        ids=["one", "two", "three"],
        places=[2, 0, 1],
        scores=np.array([0.9, 0.2, np.nan]),
        is_scored=np.array([True, True, False]),
        embedded=[],
        asked={},
    )

    def embedded(labelled: Labelled, **_: Any) -> SimpleNamespace:
        found.embedded.append([path.read_text() for path in labelled.inputs])
        return SimpleNamespace()

    def evaluation(*_: Any, **asked: Any) -> dict[str, Any]:
        found.asked = asked
        return dict(REPORT)

    monkeypatch.setattr(Labelled, "embedded", embedded)
    monkeypatch.setattr(evaluate, "read_scored", lambda *_: found)
    monkeypatch.setattr(evaluate, "input_sequences", lambda _: [b"AAAC", b"", b"GGGC"])
    monkeypatch.setattr(evaluate, "baseline_scores", lambda _, sequences, **__: {"sequences": sequences})
    monkeypatch.setattr(evaluate, "evaluation", evaluation)
    monkeypatch.setattr(evaluate, "write_table", lambda path, _report: path.write_text("the table\n"))
    monkeypatch.setattr(evaluate, "write_picture", lambda path, *_, **__: path.write_text("the picture"))
    return found


def test_the_report_is_written_in_three_forms_and_the_table_printed(
    virnucpro: Virnucpro, scored: Any, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    ended = virnucpro("evaluate", SAMPLE, OTHERS, "-o", out, "--quiet")
    assert (ended.code, ended.out, ended.err) == (ExitCode.OK, ["the table"], [])
    report = json.loads((out / "evaluation.json").read_text())
    assert report["bundle"] == "demonstration" and report["records"] == 2
    assert report["demonstration"] is True and report["label"] == "demonstration (DEMONSTRATION)"
    assert {file.name for file in out.iterdir()} == {f"evaluation.{kind}" for kind in ("json", "tsv", "svg")}
    shown = virnucpro("evaluate", SAMPLE, OTHERS, "-o", out, "--json", "--force")
    assert json.loads("\n".join(shown.out)) == report
    assert "warning: only 2 groups of viruses" in shown.err


def test_the_prevalence_and_the_seed_are_those_that_were_given(
    virnucpro: Virnucpro, scored: Any, tmp_path: Path
) -> None:
    assert virnucpro("evaluate", SAMPLE, OTHERS, "-o", tmp_path / "report").code == ExitCode.OK
    assert scored.asked == {"prevalence": 0.05, "seed": 1}
    given = ("--prevalence", "0.2", "--seed", "7")
    assert virnucpro("evaluate", SAMPLE, OTHERS, "-o", tmp_path / "other", *given).code == ExitCode.OK
    assert scored.asked == {"prevalence": 0.2, "seed": 7}
    for share in ("0", "1", "nan"):
        refused = virnucpro("evaluate", SAMPLE, OTHERS, "-o", tmp_path / "third", "--prevalence", share)
        assert refused.code == ExitCode.USAGE and "--prevalence" in refused.err[-1]


def test_the_other_strand_of_each_record_that_could_be_read_is_classified_too(
    virnucpro: Virnucpro, scored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SimpleNamespace(scores=np.array([0.4, 0.2]))
    found = iter([scored, other])
    monkeypatch.setattr(evaluate, "read_scored", lambda *_: next(found))
    out = tmp_path / "report"
    assert virnucpro("evaluate", SAMPLE, OTHERS, "-o", out, "--reverse-complement").code == ExitCode.OK
    # The sequences of the records are those at their places in the input; the one at place 1 could not be read.
    assert scored.embedded == [[SAMPLE.read_text(), OTHERS.read_text()], [">one\nGCCC\n>two\nGTTT\n"]]
    report = json.loads((out / "evaluation.json").read_text())["reverse_complement"]
    assert (report["records"], report["calls_that_differ"], report["largest_difference"]) == (2, 1, 0.5)


def test_records_without_both_label_and_score_are_an_error(virnucpro: Virnucpro, scored: Any, tmp_path: Path) -> None:
    scored.is_scored = np.array([False] * 3)
    ended = virnucpro("evaluate", SAMPLE, OTHERS, "-o", tmp_path / "report", "--quiet")
    assert ended.code == ExitCode.BAD_INPUT
    assert "no record is both labelled and scored" in ended.err[0]
    assert not (tmp_path / "report").exists()


def test_a_file_without_records_leaves_one_class_which_is_found_before_anything_is_embedded(
    virnucpro: Virnucpro, scored: Any, tmp_path: Path
) -> None:
    (tmp_path / "empty.fasta").touch()
    for files, only in (
        ((SAMPLE, tmp_path / "empty.fasta"), "all labelled records are viruses"),
        ((tmp_path / "empty.fasta", OTHERS), "no labelled record is a virus"),
    ):
        ended = virnucpro("evaluate", *files, "-o", tmp_path / "report", "--quiet")
        assert ended.code == ExitCode.BAD_INPUT and only in ended.err[-1]
    assert scored.embedded == []

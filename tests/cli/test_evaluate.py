from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli.conftest import Virnucpro
from job import OTHERS, SAMPLE

from virnucpro_tasks.cli import evaluate
from virnucpro_tasks.cli.labelled import Labelled
from virnucpro_tasks.errors import ExitCode

REPORT = {"records": 2, "all": {"auroc": 0.9}}


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Scores without a model: the ids of the records that have some."""
    found = SimpleNamespace(ids=["one", "two"])
    monkeypatch.setattr(Labelled, "embedded", lambda *_, **__: SimpleNamespace())
    monkeypatch.setattr(evaluate, "read_scored", lambda *_: found)
    monkeypatch.setattr(evaluate, "input_sequences", lambda _: [])
    monkeypatch.setattr(evaluate, "evaluation", lambda *_, **__: (dict(REPORT), None))
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


def test_records_without_both_label_and_score_are_an_error(virnucpro: Virnucpro, scored: Any, tmp_path: Path) -> None:
    scored.ids = []
    ended = virnucpro("evaluate", SAMPLE, OTHERS, "-o", tmp_path / "report", "--quiet")
    assert ended.code == ExitCode.BAD_INPUT
    assert "no record is both labelled and scored" in ended.err[0]
    assert not (tmp_path / "report").exists()

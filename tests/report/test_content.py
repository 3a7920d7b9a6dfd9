"""What a report is made from."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.results import record, run_json, write_tables

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.output.tables import FILES
from virnucpro_tasks.report.content import USES, read_content, result_files


def test_strongest_and_doubtful_records_have_tracks(tmp_path: Path) -> None:
    folder = write_tables(tmp_path, record(0, b"a", *[0.75] * 5), record(1, b"b", 0.75), record(2, b"c", 0.25))
    assert sorted(read_content(folder, run_json()).tracks) == [1, 2]


def test_files_are_those_of_run_json_and_those_to_come(tmp_path: Path) -> None:
    run = run_json(sha256={"records.tsv": "", "S1/chunks.tsv": ""})
    run["parameters"]["outputs"]["prefix"] = "x_"
    places = [file.place for file in result_files(run)]
    assert places[:2] == ["records.tsv", "chunks.tsv"] and {"x_report.html", "run.json", "virnucpro.log"} <= set(places)
    assert "samples.tsv" not in places


def test_results_of_earlier_versions_have_no_later_files() -> None:
    places = [file.place for file in result_files(run_json(parameters={}))]
    assert places == ["records.tsv", "chunks.tsv", "run.json", "virnucpro.log"]


def test_uses_are_of_files_that_there_are() -> None:
    assert set(FILES) - set(USES) <= {"DEMONSTRATION.txt"}


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no records\.tsv to report on"):
        read_content(tmp_path, run_json())

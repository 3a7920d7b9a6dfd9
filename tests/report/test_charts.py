"""Numbers of charts."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.results import record, run_json, write_tables

from virnucpro_tasks.report import records as records_module
from virnucpro_tasks.report.charts import chart_data
from virnucpro_tasks.report.content import read_content

RECORDS = (record(0, b"a", *[0.75] * 5), record(1, b"b", 0.25), record(2, b"c", None))


def test_few_records_are_points(tmp_path: Path) -> None:
    data = chart_data(read_content(write_tables(tmp_path, *RECORDS), run_json()))
    assert data["points"] == [[1, 2_500, 0.75, 1], [2, 500, 0.25, 0]] and data["cells"] == []
    assert (data["histogram"]["virus"][15], data["histogram"]["others"][5]) == (1, 1)
    assert data["tracks"] == {"1": [[500 * place, 500 * place + 500, 0.75, 1] for place in range(5)]}
    assert (data["cutoff"], data["kept"]) == (0.5, {"score": 0.5, "length": 0})


def test_many_records_are_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_module, "MOST_ROWS", 1)
    data = chart_data(read_content(write_tables(tmp_path, *RECORDS), run_json()))
    assert data["points"] == []
    assert [cell[2:] for cell in data["cells"]] == [[0.25, 0.3, 0, 1], [0.75, 0.8, 1, 0]]
    assert all(low <= length < high for (low, high, *_), length in zip(data["cells"], (500, 2_500), strict=True))

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from needs import missing

from virnucpro_tasks.report.multiqc import general_statistics, records_graph

OTHER_RUN = "S2_"


def counts(virus: int = 0, **records: int) -> dict[str, Any]:
    statuses = ("scored", "no_open_frame", "too_short", "invalid", "quarantined")
    return {"records": dict.fromkeys(statuses, 0) | records, "virus_records": virus}


def report(*, prefix: str = "", name: str = "folder/reads.fasta", **changed: Any) -> dict[str, Any]:
    return {
        "inputs": [{"name": name}],
        "parameters": {"outputs": {"prefix": prefix}},
        "counts": counts(4, scored=13, no_open_frame=2, too_short=1),
        "demonstration": False,
    } | changed


def statistics(found: dict[str, Any]) -> dict[str, Any]:
    return json.loads(general_statistics(Path(), found))["data"]


def graph(found: dict[str, Any]) -> dict[str, Any]:
    return json.loads(records_graph(Path(), found))


def test_a_job_is_one_row_named_by_its_prefix_or_its_first_input() -> None:
    row = {"records": 16, "virus": 4, "virus_percent": 30.77, "no_score_percent": 18.75}
    assert statistics(report(prefix="S1_")) == {"S1": row}
    assert statistics(report()) == {"reads.fasta": row}


def test_records_called_without_an_open_frame_are_no_part_of_those_without_an_answer() -> None:
    found = counts(4, scored=13, partial_frame=3, no_open_frame=4, too_short=1)
    found["called_records"] = {"scored": 13, "partial_frame": 3, "no_open_frame": 2}
    (bar,) = graph(report(counts=found))["data"].values()
    assert bar == {"virus": 4, "others": 14, "no_open_frame": 2, "too_short": 1, "invalid": 0, "quarantined": 0}
    (row,) = statistics(report(counts=found)).values()
    assert row == {"records": 21, "virus": 4, "virus_percent": 22.22, "no_score_percent": 14.29}


def test_a_percentage_is_neither_all_nor_nothing() -> None:
    (row,) = statistics(report(counts=counts(1, scored=99_999, no_open_frame=1))).values()
    assert (row["virus_percent"], row["no_score_percent"]) == (0.01, 0.01)
    (row,) = statistics(report(counts=counts(99_998, scored=99_999))).values()
    assert (row["virus_percent"], row["no_score_percent"]) == (99.99, 0.0)


def test_each_sample_has_a_row_and_a_bar_in_the_order_of_the_sheet() -> None:
    samples = {"B": counts(1, scored=2), "A": counts(invalid=1, quarantined=3), "none": counts()}
    found = report(samples=samples)
    assert list(statistics(found).items()) == [
        ("B", {"records": 2, "virus": 1, "virus_percent": 50.0, "no_score_percent": 0.0}),
        ("A", {"records": 4, "virus": 0, "no_score_percent": 100.0}),
        ("none", {"records": 0, "virus": 0}),
    ]
    bars = graph(found)["data"]
    assert list(bars) == ["B", "A", "none"]
    assert bars["A"] == {
        "virus": 0, "others": 0, "no_open_frame": 0, "too_short": 0, "invalid": 1, "quarantined": 3
    }  # fmt: skip


def test_the_parts_of_a_bar_are_all_records() -> None:
    found = graph(report())
    assert sum(found["data"]["reads.fasta"].values()) == 16
    assert list(found["categories"]) == list(found["data"]["reads.fasta"])


def test_names_do_no_harm() -> None:
    names = {"<img src=x>.fa": "_img src=x_.fa", "a\udcff\x1b[31m'.fa": "a__[31m_.fa", "Ä&\u202e.fa": "Ä__.fa"}
    for name, shown in names.items():
        assert list(statistics(report(name=name))) == list(graph(report(name=name))["data"]) == [shown]


def test_a_demonstration_is_named_as_such() -> None:
    for write in (general_statistics, records_graph):
        assert b"demonstration" not in write(Path(), report()).lower()
        assert b"DEMONSTRATION" in write(Path(), report(demonstration=True))


@pytest.mark.slow
def test_multiqc_reads_the_files_of_several_runs(results: Path, tmp_path: Path) -> None:
    if not importlib.util.find_spec("multiqc"):
        missing("MultiQC is not installed (make .venv/dev)")
    runs = tmp_path / "runs"
    shutil.copytree(results, runs / "first")
    (runs / "second").mkdir()
    samples = report(samples={"B": counts(1, scored=2), "none": counts()})
    (runs / "second" / f"{OTHER_RUN}virnucpro_mqc.json").write_bytes(general_statistics(Path(), samples))
    (runs / "second" / f"{OTHER_RUN}virnucpro_records_mqc.json").write_bytes(records_graph(Path(), samples))
    options = ("--no-ansi", "--strict", "--data-format", "json", "--cl-config", "no_version_check: true")
    command = [sys.executable, "-m", "multiqc", *options, "--outdir", str(tmp_path / "out"), str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr and "ERROR" not in done.stderr
    read = json.loads((tmp_path / "out" / "multiqc_data" / "multiqc_data.json").read_bytes())
    run = json.loads((results / "run.json").read_bytes())["counts"]
    total = sum(run["records"].values())
    assert run["virus_records"] > 0 and run["records"]["too_short"] == 1
    assert read["report_general_stats_data"]["custom_content"] == {
        "S1": {
            "records": total,
            "virus": run["virus_records"],
            "virus_percent": round(100 * run["virus_records"] / run["records"]["scored"], 2),
            "no_score_percent": round(100 * (total - run["records"]["scored"]) / total, 2),
        },
        "B": {"records": 2, "virus": 1, "virus_percent": 50.0, "no_score_percent": 0.0},
        "none": {"records": 0, "virus": 0},
    }
    bars = read["report_saved_raw_data"]["multiqc_virnucpro_records_plot"]
    assert {sample: sum(bar.values()) for sample, bar in bars.items()} == {"S1": total, "B": 2, "none": 0}
    assert bars["S1"]["virus"] == run["virus_records"]
    page = (tmp_path / "out" / "multiqc_report.html").read_text()
    assert "Records called virus" in page and "VirNucPro" in page

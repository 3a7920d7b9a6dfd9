from __future__ import annotations

from pathlib import Path

from benchmarks.accuracy.table import markdown, write_tsv

ROWS = [
    {"tool": "one", "records": 30, "auroc": 0.9, "auroc_95": (0.8, 0.95), "reason": None},
    {"tool": "other", "records": 9, "auroc": None, "auroc_95": None, "reason": "9 records"},
]


def test_an_interval_takes_two_columns(tmp_path: Path) -> None:
    write_tsv(tmp_path / "t.tsv", ROWS)
    assert (tmp_path / "t.tsv").read_text() == (
        "tool\trecords\tauroc\tauroc_95_low\tauroc_95_high\treason\n"
        "one\t30\t0.9\t0.8\t0.95\tNA\nother\t9\tNA\tNA\tNA\t9 records\n"
    )


def test_an_interval_stands_behind_its_figure() -> None:
    assert markdown(ROWS, {"tool": "tool", "auroc": "AUROC"}) == (
        "| tool | AUROC |\n| --- | --- |\n| one | 0.900 (0.80 to 0.95) |\n| other | NA |\n"
    )

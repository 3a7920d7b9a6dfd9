"""Sums over records, and the strongest and the doubtful ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.results import record, write_tables

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.report import records as records_module
from virnucpro_tasks.report.records import CALLS, LENGTH_CLASSES, SCORE_BINS, read_records

RECORDS = (
    record(0, b"firm", *[0.75] * 6),
    record(1, b"firmer", *[1.0] * 6),
    record(2, b"weak", 1.0, None, None, None),
    record(3, b"weak too", 0.75),
    record(4, b"others", 0.25, 0.25),
    record(5, b"unread", None, None),
)


def test_records_and_bases_are_counted(tmp_path: Path) -> None:
    found = read_records(write_tables(tmp_path, *RECORDS) / "records.tsv", most_shown=5)
    sums = found.sums
    assert sums.records.tolist() == [5, 1, 0, 0, 0, 0] and sums.total == 6
    assert sums.bases.tolist() == [9_500, 1_000, 0, 0, 0, 0]
    assert sums.called.tolist() == [[4, 1], [8_500, 1_000]]
    assert sums.covered == 8_000
    assert sums.evidence.tolist() == [[2, 0, 2], [0, 1, 0]]
    assert sums.lengths.sum() == 6 and sums.lengths[LENGTH_CLASSES.index(1_000)].tolist() == [1, 1, 1]
    assert found.has_all_rows and found.has_evidence
    assert [row.record_id for row in found.rows] == [b"firm", b"firmer", b"weak", b"weak too", b"others", b"unread"]


def test_scores_are_in_the_bin_that_begins_with_them(tmp_path: Path) -> None:
    sums = read_records(write_tables(tmp_path, *RECORDS) / "records.tsv", most_shown=5).sums
    by_bin = {
        (CALLS[call], place): int(sums.scores[call, place]) for call, place in zip(*sums.scores.nonzero(), strict=True)
    }
    assert by_bin == {("virus", 15): 2, ("virus", SCORE_BINS - 1): 2, ("others", 5): 1}
    assert sums.plane.sum(axis=1).tolist() == sums.scores.tolist()


def test_the_strongest_are_by_evidence_and_score_the_doubtful_by_length(tmp_path: Path) -> None:
    found = read_records(write_tables(tmp_path, *RECORDS) / "records.tsv", most_shown=5)
    assert [row.record_id for row in found.strongest] == [b"firmer", b"firm"]
    assert [row.record_id for row in found.doubtful] == [b"weak", b"weak too"]
    one = read_records(tmp_path / "records.tsv", most_shown=1)
    assert [len(one.strongest), len(one.doubtful)] == [1, 1]


def test_low_evidence_is_the_strongest_if_there_is_no_more(tmp_path: Path) -> None:
    found = read_records(
        write_tables(tmp_path, record(0, b"a", 0.75), record(1, b"b", 1.0)) / "records.tsv", most_shown=1
    )
    assert [row.record_id for row in found.strongest] == [b"b"]
    assert [row.record_id for row in found.doubtful] == [b"a"]


def test_of_many_records_the_strongest_and_the_doubtful_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, most in (("MOST_ROWS", 3), ("STRONGEST_ROWS", 3), ("DOUBTFUL_ROWS", 1)):
        monkeypatch.setattr(records_module, name, most)
    found = read_records(write_tables(tmp_path, *RECORDS) / "records.tsv", most_shown=1)
    assert not found.has_all_rows and found.sums.total == 6
    assert [row.place for row in found.rows] == [2, 1, 3]
    shown = {row.place for row in found.rows}
    assert all(row.place in shown for row in (*found.strongest, *found.doubtful))


def test_tables_of_earlier_versions_get_evidence_by_the_present_rule(tmp_path: Path) -> None:
    table = write_tables(tmp_path, *RECORDS) / "records.tsv"
    present = read_records(table, most_shown=5)
    lines = [line.rsplit(b"\t", 4)[0] for line in table.read_bytes().splitlines()]
    assert lines[0].endswith(b"\tmodel")
    table.write_bytes(b"\n".join(lines) + b"\n")
    earlier = read_records(table, most_shown=5)
    assert not earlier.has_evidence and present.has_record_score and not earlier.has_record_score
    assert earlier.rows == present.rows


def test_tables_without_a_score_of_records_show_the_mean_over_frames(tmp_path: Path) -> None:
    table = write_tables(tmp_path, record(0, b"a", 0.875, 0.875, 0.05)) / "records.tsv"
    present = read_records(table, most_shown=5)
    table.write_bytes(b"".join(line.rsplit(b"\t", 2)[0] + b"\n" for line in table.read_bytes().splitlines()))
    earlier = read_records(table, most_shown=5)
    assert earlier.has_evidence and not earlier.has_record_score
    assert earlier.rows[0].score == pytest.approx(0.6) and present.rows[0].score == pytest.approx(0.578299, abs=1e-6)


def test_no_records_are_no_error(tmp_path: Path) -> None:
    found = read_records(write_tables(tmp_path) / "records.tsv", most_shown=5)
    assert found.sums.total == 0 and found.rows == found.strongest == found.doubtful == [] and found.has_all_rows


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "scorde"),
        ("length", "-1"),
        ("length", "NA"),
        ("chunks", "0"),
        ("chunks", "NA"),
        ("scored_fraction", "NA"),
        ("scored_fraction", "1.5"),
        ("virus_score", "NA"),
        ("virus_score", "1.01"),
        ("virus_score", "nan"),
        ("mean_viral_score", "NA"),
        ("mean_viral_score", "1e999"),
        ("mean_viral_score", "nan"),
        ("record", "one"),
    ],
)
def test_a_value_that_no_record_has_is_told(tmp_path: Path, column: str, value: str) -> None:
    table = write_tables(tmp_path, *RECORDS) / "records.tsv"
    header, first, *rest = table.read_text().splitlines()
    fields = first.split("\t")
    fields[header.split("\t").index(column)] = value
    table.write_text("\n".join([header, "\t".join(fields), *rest, ""]))
    with pytest.raises(InputError, match=r"records\.tsv"):
        read_records(table, most_shown=5)

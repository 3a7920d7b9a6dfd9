"""Reading result tables back, and the best of their rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from report.results import record, write_tables

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.report import rows
from virnucpro_tasks.report.rows import PLACE, RECORD_FIELDS, BestRows, read_rows

HOSTILE = (b"=1+1", b'a"b', b"NA", b"\xff\xfe", b"#x", b"x" * 10_000, b"'", b"\xe2\x80\xa8", b"tab\there", b"a\r\nb")


HEADER = b"\t".join(name.encode() for name in (*(name for name in RECORD_FIELDS if name != "length"), "length")) + b"\n"
HEADER += b"\t" * (len(RECORD_FIELDS) - 1)


def test_ids_and_descriptions_are_read_back_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # So that rows are cut between blocks.
    monkeypatch.setattr(rows, "BLOCK_BYTES", 32_768)
    # An id holds no white space.
    ids = [text.translate(None, b"\t\r\n") for text in HOSTILE * 20]
    records = [
        record(place, name, 0.75, description=text)
        for place, (name, text) in enumerate(zip(ids, HOSTILE * 20, strict=True))
    ]
    batches = list(read_rows(write_tables(tmp_path, *records) / "records.tsv", RECORD_FIELDS))
    assert len(batches) > 2
    read = [row for batch in batches for row in batch.to_pylist()]
    assert [row["record_id"] for row in read] == ids
    assert [row["description"] for row in read] == list(HOSTILE * 20)
    assert [row[PLACE] for row in read] == list(range(1, len(records) + 1))
    assert read[0]["mean_viral_score"] == 0.75 and read[0]["sample"] is None and read[0]["mate"] is None


def test_a_score_that_is_not_there_is_null(tmp_path: Path) -> None:
    table = write_tables(tmp_path, record(0, b"a", None)) / "records.tsv"
    (batch,) = read_rows(table, RECORD_FIELDS)
    assert batch["mean_viral_score"].to_pylist() == [None] and batch["call"].to_pylist() == [b"NA"]


def test_a_table_of_its_header_alone_has_no_rows(tmp_path: Path) -> None:
    table = write_tables(tmp_path) / "records.tsv"
    assert sum(batch.num_rows for batch in read_rows(table, RECORD_FIELDS)) == 0


@pytest.mark.parametrize("content", [b"", b"record_id\tlength\na\t1\n", HEADER + b"many\n", HEADER + b"1\ta\n"])
def test_another_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    table = tmp_path / "records.tsv"
    table.write_bytes(content)
    with pytest.raises(InputError, match=r"records\.tsv: this is no table of results"):
        list(read_rows(table, RECORD_FIELDS))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"records\.tsv: No such file"):
        list(read_rows(tmp_path / "records.tsv", RECORD_FIELDS))


def test_the_best_rows_do_not_depend_on_batches() -> None:
    values = [3, 1, 3, 2, 3, 0, 2, 3, 1, 3]
    table = pa.table({"value": values, PLACE: range(1, len(values) + 1)})
    for size in (1, 3, 10):
        best = BestRows(3, [("value", "descending")])
        for start in range(0, len(values), size):
            best.add(table.slice(start, size))
        assert [row[PLACE] for row in best.rows()] == [1, 3, 5]


def test_without_rows_there_is_no_best() -> None:
    assert BestRows(3, []).rows() == []

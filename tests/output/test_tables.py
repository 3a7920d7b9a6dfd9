from __future__ import annotations

from pathlib import Path

import pytest
from output.tables import Chunk, read_table, shard_of, write

from virnucpro_tasks.output import part, results
from virnucpro_tasks.output.fields import integers, texts
from virnucpro_tasks.output.scored import ScoredRows
from virnucpro_tasks.output.table import Column, Table, table_of
from virnucpro_tasks.output.tables import FILES, TABLES


def test_files_are_the_tables_and_then_the_reports() -> None:
    assert list(FILES) == [
        *(table.name for table in TABLES),
        "samples.tsv",
        "report.html",
        "virnucpro_mqc.json",
        "virnucpro_records_mqc.json",
        "ro-crate-metadata.json",
        "run.json",
        "virnucpro.log",
        "DEMONSTRATION.txt",
    ]


@pytest.mark.parametrize("is_sorted", [False, True])
def test_another_table_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_sorted: bool) -> None:
    columns: tuple[Column[ScoredRows], ...] = (
        Column("record_id", "id", texts, lambda rows, _: rows.ids),
        Column("bases", "length of the record", integers, lambda rows, _: rows.lengths.tolist()),
    )
    plain = table_of(columns, name="lengths.tsv", meaning="lengths")
    added = Table(plain.name, plain.meaning, plain.header, plain.lines, lambda style: is_sorted)
    monkeypatch.setattr(part, "SHARD_TABLES", (*part.SHARD_TABLES, added))
    monkeypatch.setattr(results, "TABLES", (*results.TABLES, added))
    write(tmp_path, *(shard_of([Chunk(n, name, 1, 0, 90, 90, [0.5])]) for n, name in enumerate((b"b", b"c", b"a"))))
    found = [row["record_id"] for row in read_table(tmp_path / "lengths.tsv")]
    assert found == (["a", "b", "c"] if is_sorted else ["b", "c", "a"])
    assert not list(tmp_path.glob(".sorted*"))

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.accuracy.tool_scores import number, one_file, read_rows
from virnucpro_tasks.errors import InputError

Write = Callable[[str, str], Path]


def test_tables_need_their_columns(write: Write, tmp_path: Path) -> None:
    table = write("t.tsv", "a\tb\n1\t2\n3\n")
    assert read_rows(table, ("a", "b")) == [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]
    with pytest.raises(InputError, match=r"t\.tsv, line 1: has no column 'c'"):
        read_rows(table, ("a", "c"))
    with pytest.raises(InputError, match="cannot be read"):
        read_rows(tmp_path / "none.tsv", ())


def test_numbers(tmp_path: Path) -> None:
    assert [number({"x": text}, "x", tmp_path) for text in ("0.5", "NA", "")] == [0.5, None, None]
    with pytest.raises(InputError, match="x 'much' is no number"):
        number({"x": "much"}, "x", tmp_path)


def test_one_file_is_found_at_any_depth(write: Write, tmp_path: Path) -> None:
    table = write("out/deep/x_jaeger.tsv", "")
    write("out/deep/x_phages_jaeger.tsv", "")
    assert one_file(tmp_path / "out", "*_jaeger.tsv", but="*_phages_jaeger.tsv") == table
    assert one_file(table, "whatever") == table
    for pattern in ("*.tsv", "*.csv"):
        with pytest.raises(InputError, match="files"):
            one_file(tmp_path / "out", pattern)

from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.output.sorted_lines import SortedLines


@pytest.mark.parametrize("run_lines", [1, 2, 7, 1000])
def test_lines_come_back_sorted_by_their_first_field_from_any_number_of_runs(tmp_path: Path, run_lines: int) -> None:
    names = [b"c_10", b"c_2", b"a", b"c", b"c_1", "é".encode(), b"Z", b"", b"a", b"a\x01"]
    lines = [b"%b\t%d\n" % (name, place) for place, name in enumerate(names)]
    collected = SortedLines(tmp_path / "table", run_lines=run_lines)
    for line in lines:
        collected.extend([line])
    expected = [lines[place] for place in sorted(range(len(names)), key=lambda place: (names[place], place))]
    assert list(collected.lines()) == expected
    assert list(tmp_path.iterdir()) == []


def test_memory_holds_one_run(tmp_path: Path) -> None:
    collected = SortedLines(tmp_path / "table", run_lines=10)
    for number in range(100):
        collected.extend([b"%d\tx\n" % number])
    assert len(list(tmp_path.iterdir())) == 10
    assert len(collected._held) == 0
    assert len(list(collected.lines())) == 100


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    assert list(SortedLines(tmp_path / "table").lines()) == []


def test_long_lines_make_runs_before_there_are_many(tmp_path: Path) -> None:
    collected = SortedLines(tmp_path / "table", run_bytes=1_000)
    for number in range(9, -1, -1):
        collected.extend([b"%d\t%b\n" % (number, b"x" * 500)])
    assert len(list(tmp_path.iterdir())) == 5
    assert [line[:1] for line in collected.lines()] == [b"%d" % number for number in range(10)]


@pytest.mark.parametrize("run_lines", [1, 1000])
def test_a_key_in_front_of_each_line_is_not_given_back(tmp_path: Path, run_lines: int) -> None:
    collected = SortedLines(tmp_path / "table", has_key=True, run_lines=run_lines)
    for line in (b"2\tb\t1\n", b"1\tc\t2\n", b"2\ta\t3\n"):
        collected.extend([line])
    assert list(collected.lines()) == [b"c\t2\n", b"b\t1\n", b"a\t3\n"]


def test_runs_of_two_tables_in_one_folder_are_kept_apart(tmp_path: Path) -> None:
    tables = [SortedLines(tmp_path / name, run_lines=1) for name in ("one", "two")]
    for place, table in enumerate(tables):
        table.extend([b"%d\n" % place])
    assert [list(table.lines()) for table in tables] == [[b"0\n"], [b"1\n"]]

from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.output.sorted_lines import SortedLines


@pytest.mark.parametrize("run_lines", [1, 2, 7, 1000])
def test_lines_come_back_sorted_by_their_first_field_from_any_number_of_runs(tmp_path: Path, run_lines: int) -> None:
    names = [b"c_10", b"c_2", b"a", b"c", b"c_1", "é".encode(), b"Z", b"", b"a", b"a\x01"]
    lines = [b"%b\t%d\n" % (name, place) for place, name in enumerate(names)]
    collected = SortedLines(tmp_path, run_lines=run_lines)
    for line in lines:
        collected.extend([line])
    expected = [lines[place] for place in sorted(range(len(names)), key=lambda place: (names[place], place))]
    assert list(collected.lines()) == expected
    assert list(tmp_path.iterdir()) == []


def test_memory_holds_one_run(tmp_path: Path) -> None:
    collected = SortedLines(tmp_path, run_lines=10)
    for number in range(100):
        collected.extend([b"%d\tx\n" % number])
    assert len(list(tmp_path.iterdir())) == 10
    assert len(collected._held) == 0
    assert len(list(collected.lines())) == 100


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    assert list(SortedLines(tmp_path).lines()) == []

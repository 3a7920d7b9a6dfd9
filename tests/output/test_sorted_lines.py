from __future__ import annotations

import random
from pathlib import Path

import pytest

from virnucpro_tasks.output import sorted_lines
from virnucpro_tasks.output.sorted_lines import SortedLines, keyed_pieces


@pytest.mark.parametrize("run_bytes", [1, 10, 1000])
def test_lines_come_back_sorted_by_their_first_field_from_any_number_of_runs(tmp_path: Path, run_bytes: int) -> None:
    names = [b"c_10", b"c_2", b"a", b"c", b"c_1", "é".encode(), b"Z", b"", b"a", b"a\x01", b"a\r\x0b\x85"]
    lines = [b"%b\t%d\n" % (name, place) for place, name in enumerate(names)]
    collected = SortedLines(tmp_path / "table", run_bytes=run_bytes)
    for line in lines:
        collected.extend([line])
    expected = [lines[place] for place in sorted(range(len(names)), key=lambda place: (names[place], place))]
    assert b"".join(collected.pieces()) == b"".join(expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("most_runs", [2, 3, 32])
@pytest.mark.parametrize("kinds", [1, 3, 100_000])
def test_runs_are_merged_in_blocks_with_equal_keys_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_runs: int, kinds: int
) -> None:
    monkeypatch.setattr(sorted_lines, "BLOCK_BYTES", 50)
    chosen = random.Random(most_runs)
    lines = [b"%d\t%d\n" % (chosen.randrange(kinds), place) for place in range(600)]
    collected = SortedLines(tmp_path / "table", run_bytes=200, most_runs=most_runs)
    at = 0
    while at < len(lines):
        count = chosen.randrange(1, 20)
        collected.extend([b"".join(lines[at : at + count])])
        at += count
        assert len(list(tmp_path.iterdir())) < 6 * most_runs
    assert b"".join(collected.pieces()) == b"".join(sorted(lines, key=lambda line: line.partition(b"\t")[0]))
    assert list(tmp_path.iterdir()) == []


def test_memory_holds_one_run(tmp_path: Path) -> None:
    collected = SortedLines(tmp_path / "table", run_bytes=30)
    for number in range(10, 100):
        collected.extend([b"%d\tx\n" % number])
    assert sum(len(file.read_bytes()) for file in tmp_path.iterdir()) == 90 * 5
    assert collected._held == []
    assert b"".join(collected.pieces()).count(b"\n") == 90


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    assert b"".join(SortedLines(tmp_path / "table").pieces()) == b""


@pytest.mark.parametrize("run_bytes", [1, 1000])
def test_a_key_in_a_piece_before_each_line_is_not_given_back(tmp_path: Path, run_bytes: int) -> None:
    collected = SortedLines(tmp_path / "table", has_keys=True, run_bytes=run_bytes)
    for key, line in ((b"2", b"b\t1"), (b"1", b"c\t2"), (b"2", b"a\t3")):
        collected.extend(keyed_pieces([key], [line]))
    assert b"".join(collected.pieces()) == b"c\t2\nb\t1\na\t3\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("most_runs", [2, 32])
@pytest.mark.parametrize("kinds", [3, 100_000])
def test_lines_with_keys_are_merged_as_those_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_runs: int, kinds: int
) -> None:
    monkeypatch.setattr(sorted_lines, "KEY_BLOCK_BYTES", 20)
    chosen = random.Random(kinds)
    keys = [b"%d" % chosen.randrange(kinds) for _ in range(600)]
    # A stretch that is in order already, so that runs go on, too.
    keys[200:400] = sorted(keys[200:400])
    lines = [b"%b\tx%d" % (b"y" * chosen.randrange(9), place) for place in range(600)]
    collected = SortedLines(tmp_path / "table", has_keys=True, run_bytes=200, most_runs=most_runs)
    for at in range(0, 600, 7):
        collected.extend(keyed_pieces(keys[at : at + 7], lines[at : at + 7]))
    expected = [lines[place] + b"\n" for place in sorted(range(600), key=keys.__getitem__)]
    assert b"".join(collected.pieces()) == b"".join(expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("run_bytes", [1, 60, 10_000])
def test_pieces_in_order_need_not_be_in_that_of_all(tmp_path: Path, run_bytes: int) -> None:
    for seed in range(50):
        chosen = random.Random(seed)
        pieces = [[b"%d" % chosen.randrange(9) for _ in range(chosen.randrange(4))] for _ in range(5)]
        pieces = [sorted(keys) if chosen.random() < 0.8 else keys for keys in pieces]
        pieces = sorted(pieces) if chosen.random() < 0.5 else pieces
        collected = SortedLines(tmp_path / "table", has_keys=True, run_bytes=run_bytes)
        for place, keys in enumerate(pieces):
            collected.extend(keyed_pieces(keys, [b"%b of %d" % (key, place) for key in keys]))
        lines = [(key, place) for place, keys in enumerate(pieces) for key in keys]
        expected = sorted(lines, key=lambda line: line[0])
        assert b"".join(collected.pieces()) == b"".join(b"%b of %d\n" % line for line in expected)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("has_keys", [False, True])
def test_lines_that_come_in_order_are_one_run(tmp_path: Path, has_keys: bool) -> None:
    collected = SortedLines(tmp_path / "table", has_keys=has_keys, run_bytes=1, most_runs=2)
    lines = [b"%03d\tx\n" % (number // 2) for number in range(100)]
    for line in lines:
        collected.extend(keyed_pieces([line[:3]], [line[:-1]]) if has_keys else [line])
    assert len(list(tmp_path.iterdir())) == 1 + has_keys
    assert b"".join(collected.pieces()) == b"".join(lines)
    assert list(tmp_path.iterdir()) == []


def test_runs_of_two_tables_in_one_folder_are_kept_apart(tmp_path: Path) -> None:
    tables = [SortedLines(tmp_path / name, run_bytes=1) for name in ("one", "two")]
    for place, table in enumerate(tables):
        table.extend([b"%d\n" % place])
    assert [b"".join(table.pieces()) for table in tables] == [b"0\n", b"1\n"]

from __future__ import annotations

import pytest
from rich.cells import cell_len

from virnucpro_tasks.cli.columns import Column, aligned

COLUMNS = [
    Column("JOB", ["one", "two"], least=80),
    Column("NUMBER", ["7", "1,234"], least=80, rank=1, is_number=True),
    Column("INPUTS", ["a-long-name-of-a-file.fasta", "b"], ends=[" and 2 more", ""], least=14, rank=2),
    Column("OWNER", ["anna", "東京大学"], least=5, rank=3),
]


def test_columns_are_aligned_and_numbers_stand_at_the_right() -> None:
    assert list(aligned(COLUMNS[:2], width=80)) == ["JOB  NUMBER", "one       7", "two   1,234"]


def test_what_is_too_long_is_cut_but_not_its_end() -> None:
    assert list(aligned(COLUMNS[:3], width=33)) == [
        "JOB  NUMBER  INPUTS",
        "one       7  a-long-n… and 2 more",
        "two   1,234  b",
    ]


@pytest.mark.parametrize("width", range(1, 90))
def test_no_line_is_wider_than_the_terminal_unless_it_is_the_first_column_alone(width: int) -> None:
    lines = list(aligned(COLUMNS, width=width))
    assert len(lines) == 3
    assert all(cell_len(line) <= max(width, 3) for line in lines)


def test_the_least_important_columns_are_left_out_first() -> None:
    headings = [next(iter(aligned(COLUMNS, width=width))).split() for width in (80, 27, 11, 3)]
    assert headings == [["JOB", "NUMBER", "INPUTS", "OWNER"], ["JOB", "NUMBER", "INPUTS"], ["JOB", "NUMBER"], ["JOB"]]

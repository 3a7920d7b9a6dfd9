"""A result table: its file, its columns, and how its lines are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from virnucpro_tasks.output.fields import header_line, table_lines

Rows = TypeVar("Rows")
"""A table is written from the summaries of complete records, or from the chunk rows of one shard after another."""


@dataclass(frozen=True, slots=True)
class TableStyle:
    """Properties that all tables of a job share.

    `dialect` is original or broad, `input_names` are by input ordinal, `model_label` stands in every row,
    `chunk_length` is in bases.
    """

    dialect: str
    input_names: Sequence[str]
    model_label: str
    chunk_length: int


@dataclass(frozen=True, slots=True)
class Column(Generic[Rows]):
    """One column of a tab-separated table.

    `meaning` describes it in docs/outputs.md, `write` is its format (see `fields`), `values` takes it out of the rows,
    one value for each.
    """

    name: str
    meaning: str
    write: Callable[[Any], list[bytes]]
    values: Callable[[Rows, TableStyle], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Table(Generic[Rows]):
    """One result file.

    `meaning` describes it in docs/outputs.md. `header` gives the first line and `lines` those of some rows, each with
    its line end. Lines are in input order, or sorted by id if `is_sorted` says so of the style.
    """

    name: str
    meaning: str
    header: Callable[[TableStyle], bytes]
    lines: Callable[[Rows, TableStyle], list[bytes]]
    is_sorted: Callable[[TableStyle], bool] = lambda style: False

    def part(self, rows: Rows, style: TableStyle) -> list[bytes]:
        """The lines of some rows, in one piece unless they are to be sorted."""
        lines = self.lines(rows, style)
        return lines if self.is_sorted(style) else [b"".join(lines)]


def table_of(columns: tuple[Column[Rows], ...], *, name: str, meaning: str) -> Table[Rows]:
    """A tab-separated table with a line for each row."""

    def lines(rows: Rows, style: TableStyle) -> list[bytes]:
        return table_lines(*(column.write(column.values(rows, style)) for column in columns))

    return Table(name, meaning, lambda style: header_line([column.name for column in columns]), lines)

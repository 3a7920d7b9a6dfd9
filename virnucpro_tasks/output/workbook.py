"""Result tables as sheets of an Excel workbook, in which ids are text that nothing computes or turns into a date."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.output.chunks import CHUNK_COLUMNS
from virnucpro_tasks.output.fields import fraction_texts, integer_texts, integers, mates, score_texts, scores
from virnucpro_tasks.output.records import RECORD_COLUMNS
from virnucpro_tasks.output.samples import SAMPLE_COLUMNS
from virnucpro_tasks.system.file_errors import cause_of
from virnucpro_tasks.system.files import atomic_path
from virnucpro_tasks.system.temporary import TemporaryFolder

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

PREFIX = "virnucpro-workbook-"
MOST_ROWS = 1_048_576
"""Rows of a sheet, its header included."""
MOST_LETTERS = 32_767
"""Letters of a cell."""
MOST_NAME_LETTERS = 31
"""Letters of the name of a sheet."""

NUMBERS = {
    column.name
    for columns in (RECORD_COLUMNS, CHUNK_COLUMNS, SAMPLE_COLUMNS)
    for column in columns
    if column.write in (integers, integer_texts, fraction_texts, mates, scores, score_texts)
} | {"score1", "score2", "max_score_0", "max_score_1"}
"""Columns whose cells are numbers; all others are text, whatever they look like."""
UNQUOTED = ("Sequence_ID", "Modified_ID")
"""First columns of the legacy files, which quote nothing."""


def write_workbook(tables: Sequence[Path], output: Path) -> None:
    """Write each table as a sheet of `output`, which appears complete. Ids keep every letter.

    Bytes that are no UTF-8 are written as escapes. Raises InputError for a file that is no such table, or that does not
    fit into a sheet.
    """
    # Imported here: it is an extra.
    from xlsxwriter import Workbook

    with atomic_path(output) as temporary, TemporaryFolder(PREFIX, otherwise=output.absolute().parent) as folder:
        # Rows go to files there as they come.
        workbook = Workbook(str(temporary), {"constant_memory": True, "tmpdir": str(folder)})
        try:
            for table, name in zip(tables, _sheet_names(tables), strict=True):
                _write_sheet(workbook.add_worksheet(name), table)
        except BaseException:
            # It would be written when it is collected.
            workbook.fileclosed = True
            raise
        workbook.close()


def _sheet_names(tables: Sequence[Path]) -> list[str]:
    """The name of each file, of equal ones with a number, as Excel allows it."""
    names: list[str] = []
    for table in tables:
        name = "".join(" " if letter in "[]:*?/\\'" else letter for letter in table.stem)[:MOST_NAME_LETTERS] or "table"
        number, unique = 1, name
        while unique.lower() in map(str.lower, names):
            number += 1
            unique = f"{name[: MOST_NAME_LETTERS - 5]} {number}"
        names.append(unique)
    return names


def _write_sheet(sheet: Worksheet, table: Path) -> None:
    rows = _rows(table)
    header = next(rows, [])
    if len(header) < 2:
        raise InputError(
            "this is no table of results", file=str(table), hint="give records.tsv, chunks.tsv or the like"
        )
    sheet.freeze_panes(1, 0)
    are_numbers = [name in NUMBERS for name in header]
    for column, name in enumerate(header):
        sheet.write_string(0, column, name)
    for number, row in enumerate(rows, start=1):
        if number >= MOST_ROWS:
            raise InputError(f"a sheet holds {MOST_ROWS:,} rows, and this table has more", file=str(table))
        if len(row) != len(header):
            raise InputError(
                f"this row has {len(row)} fields, the header {len(header)}", file=str(table), line=number + 1
            )
        for column, (text, is_number) in enumerate(zip(row, are_numbers, strict=True)):
            if is_number:
                with suppress(ValueError):
                    sheet.write_number(number, column, float(text))
                    continue
            if len(text) > MOST_LETTERS:
                raise InputError(
                    f"{header[column]} has {len(text):,} letters, a cell holds {MOST_LETTERS:,}",
                    file=str(table),
                    line=number + 1,
                )
            sheet.write_string(number, column, text)


def _rows(table: Path) -> Iterator[list[str]]:
    try:
        with table.open("rb") as binary:
            is_quoted = not binary.readline().startswith(tuple(name.encode() for name in UNQUOTED))
            binary.seek(0)
            with io.TextIOWrapper(binary, encoding="utf-8", errors="backslashreplace", newline="") as text:
                csv.field_size_limit(1 << 30)
                yield from csv.reader(text, delimiter="\t", quoting=csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE)
    except (OSError, csv.Error) as error:
        words = cause_of(error).words if isinstance(error, OSError) else str(error)
        raise InputError(words, file=str(table)) from None

"""Rows of result tables, read back in batches of bounded size, and the best of them by a rank."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.output.fields import LINE_END, SEPARATOR
from virnucpro_tasks.system.file_errors import cause_of

BLOCK_BYTES = 1 << 20
NEAR_BYTES = 1 << 15
"""Bytes of a table around a row that are parsed with it."""
PLACE = "place"
"""The column that is added to every row: its number in the table, from 1."""

TEXT, NUMBER, SCORE = pa.binary(), pa.int64(), pa.float64()

RECORD_FIELDS: Mapping[str, pa.DataType] = {
    "sample": TEXT,
    "record": NUMBER,
    "record_id": TEXT,
    "input": TEXT,
    "length": NUMBER,
    "mate": NUMBER,
    "status": TEXT,
    "chunks": NUMBER,
    "scored_chunks": NUMBER,
    "virus_chunks": NUMBER,
    "scored_fraction": SCORE,
    "highest_viral_score": SCORE,
    "mean_viral_score": SCORE,
    "call": TEXT,
    "reason": TEXT,
    "description": TEXT,
    "evidence": TEXT,
    "virus_score": SCORE,
}
"""The columns of records.tsv that the report shows."""

CHUNK_FIELDS: Mapping[str, pa.DataType] = {
    "sample": TEXT,
    "record": NUMBER,
    "chunk": NUMBER,
    "start": NUMBER,
    "end": NUMBER,
    "status": TEXT,
    "mean_viral_score": SCORE,
    "call": TEXT,
}
"""The columns of chunks.tsv that the report shows."""

OPTIONAL = frozenset({"sample", "mate", "description", "evidence", "virus_score"})
"""Columns that some tables lack, those of earlier versions among them."""


def column_names(table: Path) -> list[str]:
    """The names in the first line of a table. Raises InputError for a file that is missing."""
    try:
        with table.open("rb") as handle:
            return handle.readline().decode(errors="replace").rstrip("\n").split("\t")
    except FileNotFoundError as error:
        raise InputError(cause_of(error).words, file=str(table)) from None


def read_rows(table: Path, fields: Mapping[str, pa.DataType]) -> Iterator[pa.Table]:
    """Yield the rows of a result table batch by batch, with these columns and PLACE; a column that it lacks is null.

    Raises InputError for a file that is missing or no such table, OSError for one that cannot be read.
    """
    numbers = [name for name, kind in fields.items() if kind == NUMBER and name not in OPTIONAL]
    try:
        names = column_names(table)
        if missing := [name for name in fields if name not in OPTIONAL and name not in names]:
            raise InputError(f"this is no table of results: it has no column {missing[0]}", file=str(table))
        with csv.open_csv(
            table,
            read_options=csv.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=_FORM,
            convert_options=_conversion(fields),
        ) as reader:
            before = 0
            for batch in reader:
                if any(batch[name].null_count for name in numbers):
                    raise InputError("this is no table of results: a number is missing", file=str(table))
                places = pa.array(np.arange(before + 1, before + 1 + batch.num_rows), NUMBER)
                yield pa.Table.from_batches([batch]).append_column(PLACE, places)
                before += batch.num_rows
    except pa.ArrowInvalid as error:
        raise InputError(f"this is no table of results: {error}", file=str(table)) from None


def read_rows_at(
    table: Path, fields: Mapping[str, pa.DataType], places: Sequence[int], *, total: int
) -> pa.Table | None:
    """The rows at `places`, sorted and at least one, of a result table with `total` rows, with these columns and PLACE.

    Only these are parsed. None for a table with another number of lines, such as one with a line end in a text.
    """
    lines: list[bytes] = []
    with table.open("rb") as handle:
        header = handle.readline()
        # Lines before the block, as places count from 1; the first place that is still to be found.
        passed, upcoming = 1, 0
        while block := handle.read(NEAR_BYTES):
            block += handle.readline()
            # Counting and splitting take three times as long.
            is_end = np.frombuffer(block, np.uint8) == LINE_END[0]
            count = int(np.count_nonzero(is_end))
            behind = bisect_left(places, passed + count, upcoming)
            if behind > upcoming:
                ends = np.flatnonzero(is_end)
                wanted = np.asarray(places[upcoming:behind]) - passed
                starts = np.where(wanted > 0, ends[wanted - 1] + 1, 0)
                lines += (block[start:end] for start, end in zip(starts.tolist(), ends[wanted].tolist(), strict=True))
                upcoming = behind
            passed += count
    if passed != total + 1:
        return None
    content = LINE_END.join([header.rstrip(LINE_END), *lines, b""])
    try:
        rows = csv.read_csv(BytesIO(content), parse_options=_FORM, convert_options=_conversion(fields))
    except pa.ArrowInvalid as error:
        raise InputError(f"this is no table of results: {error}", file=str(table)) from None
    return rows.append_column(PLACE, pa.array(places, NUMBER)) if rows.num_rows == len(places) else None


def read_rows_near(table: Path, fields: Mapping[str, pa.DataType], records: Sequence[int]) -> Iterator[pa.Table]:
    """Yield the rows of `records`, sorted numbers in the column `record`, and some of their neighbours.

    The rows must be in the order of that column; much less of them is parsed than by `read_rows`. Raises ValueError if
    another order is noticed, or a table that can only be read as a whole.
    """
    with table.open("rb") as handle:
        header = handle.readline()
        place = header.rstrip(LINE_END).split(SEPARATOR).index(b"record")
        passed = 0
        while block := handle.read(NEAR_BYTES):
            block += handle.readline()
            end = block.rfind(LINE_END, 0, -1) + 1
            first, last = (int(line.split(SEPARATOR, place + 1)[place]) for line in (block, block[end:]))
            if not passed <= first <= last:
                raise ValueError("rows are in another order")
            passed = last
            if bisect_left(records, first) < bisect_right(records, last):
                yield csv.read_csv(BytesIO(header + block), parse_options=_FORM, convert_options=_conversion(fields))


_FORM = csv.ParseOptions(delimiter="\t", newlines_in_values=True)


def _conversion(fields: Mapping[str, pa.DataType]) -> csv.ConvertOptions:
    return csv.ConvertOptions(
        column_types=fields,
        include_columns=list(fields),
        include_missing_columns=True,
        null_values=["NA"],
        strings_can_be_null=False,
    )


class BestRows:
    """The first `most` rows of all that are added, in the order of `ranking`, pairs of a column and a direction.

    Rows of equal rank are ordered by PLACE, so that they do not depend on how a table is cut into batches.
    """

    def __init__(self, most: int, ranking: Sequence[tuple[str, str]]) -> None:
        self.most = most
        self.ranking = [*ranking, (PLACE, "ascending")]
        self._kept: list[pa.Table] = []
        self._count = 0

    def add(self, rows: pa.Table) -> None:
        """Take rows into account."""
        if not rows.num_rows:
            return
        self._kept.append(rows)
        self._count += rows.num_rows
        if self._count > 4 * self.most:
            self._kept = [self._best()]
            self._count = self._kept[0].num_rows

    def rows(self) -> list[dict[str, object]]:
        """The best of all rows, the first one first."""
        return self._best().to_pylist() if self._kept else []

    def _best(self) -> pa.Table:
        together = pa.concat_tables(self._kept)
        order = pc.sort_indices(together, sort_keys=self.ranking)
        return together.take(order[: self.most]).combine_chunks()

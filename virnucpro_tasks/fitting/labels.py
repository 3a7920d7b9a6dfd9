"""What labelled records are: virus or not, of which group, from a table or by the file they stand in."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.errors import InputError

VIRUS, OTHERS = "virus", "others"
COLUMNS = ("id", "label")
OPTIONAL_COLUMNS = ("group", "taxon")


@dataclass(frozen=True, slots=True)
class Label:
    """`group` holds together what must not be divided between training and test; `taxon` is for reports."""

    virus: bool
    group: str
    taxon: str


class Labels:
    """Labels by record id, or, without a table, by input file: the first is virus, the second others."""

    def __init__(self, table: dict[str, Label] | None) -> None:
        self._table = table

    @classmethod
    def read(cls, path: Path) -> Labels:
        """A tab-separated table with the columns id and label (virus or others), and maybe group and taxon.

        Without a group each record is its own. Raises InputError naming the line.
        """
        try:
            with path.open(encoding="utf-8", newline="") as handle:
                return cls(dict(_rows(handle, path)))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot be read: {error}", file=str(path)) from None

    @classmethod
    def by_file(cls) -> Labels:
        return cls(None)

    def of(self, record_id: str, input_ordinal: int) -> Label | None:
        """The label of a record; None if the table does not name it."""
        if self._table is not None:
            return self._table.get(record_id)
        return Label(virus=input_ordinal == 0, group=f"{input_ordinal}/{record_id}", taxon="")


def _rows(handle: Iterator[str], path: Path) -> Iterator[tuple[str, Label]]:
    reader = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise InputError(
            f"has no column {missing[0]!r}", file=str(path), line=1, hint="tab-separated, with the columns id and label"
        )
    seen: set[str] = set()
    for number, row in enumerate(reader, start=2):
        record_id, label = row["id"], row["label"]
        if label not in (VIRUS, OTHERS):
            raise InputError(
                f"label {label!r} is neither {VIRUS} nor {OTHERS}", file=str(path), line=number, record=record_id
            )
        if record_id in seen:
            raise InputError("the id is there twice", file=str(path), line=number, record=record_id)
        seen.add(record_id)
        group = row.get("group") or f"record {record_id}"
        yield record_id, Label(virus=label == VIRUS, group=group, taxon=row.get("taxon") or "")

"""Labels of records (virus or not, group, taxon, part), from a table or by the input file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.errors import InputError

VIRUS, OTHERS = "virus", "others"
COLUMNS = ("id", "label")
NAMED = 5
"""Records that an error names."""
TRAIN, VALIDATION, CALIBRATE, TEST = PARTS = ("train", "validation", "calibrate", "test")
"""Uses of records: to fit a head, to choose among epochs or penalties, to calibrate it, to measure how good it is."""
OLD_PARTS = {"stop": VALIDATION, "judge": TEST}
"""Words of older tables, which are still read."""


@dataclass(frozen=True, slots=True)
class Label:
    """Records of one `group` must not be divided between training and test; `taxon` is for reports.

    `part` is one of PARTS, or empty if that is to be chosen.
    """

    virus: bool
    group: str
    taxon: str
    part: str = ""


class Labels:
    """Labels by record id, or, without a table, by input file: the first is virus, the second others."""

    def __init__(self, table: dict[str, Label] | None) -> None:
        self._table = table

    @classmethod
    def read(cls, *paths: Path) -> Labels:
        """Tab-separated tables with the columns id and label (virus or others), and maybe group, taxon and part.

        Without a group each record is its own. Raises InputError naming the line.
        """
        table: dict[str, Label] = {}
        for path in paths:
            try:
                with path.open(encoding="utf-8", newline="") as handle:
                    table |= _rows(handle, path, seen=set(table))
            except OSError as error:
                raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None
            except UnicodeDecodeError:
                raise InputError("this is not text", file=str(path), hint="give a tab-separated table") from None
        return cls(table)

    @classmethod
    def by_file(cls) -> Labels:
        return cls(None)

    def of_all(self, records: Iterable[tuple[str, int]], *, file: str) -> list[Label]:
        """The labels of records (id, number of their file). Raises InputError for those that have none."""
        found = [(record_id, self.of(record_id, ordinal)) for record_id, ordinal in records]
        if missing := [record_id for record_id, label in found if label is None]:
            raise unlabelled(missing, file=file)
        return [label for _, label in found if label is not None]

    def of(self, record_id: str, input_ordinal: int) -> Label | None:
        """The label of a record; None if the table does not name it."""
        if self._table is not None:
            return self._table.get(record_id)
        return Label(virus=input_ordinal == 0, group=f"{input_ordinal}/{record_id}", taxon="")


def unlabelled(ids: Sequence[str], *, file: str) -> InputError:
    """The error for records without a label."""
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return InputError(
        f"{', '.join(ids[:NAMED])}{more} {'has' if len(ids) == 1 else 'have'} no label",
        file=file,
        hint="add to the table what the input holds",
    )


def _rows(handle: Iterable[str], path: Path, *, seen: set[str]) -> dict[str, Label]:
    reader = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise InputError(
            f"has no column {missing[0]!r}", file=str(path), line=1, hint="tab-separated, with the columns id and label"
        )
    rows: dict[str, Label] = {}
    for number, row in enumerate(reader, start=2):
        record_id = row["id"]

        def bad(what: str, *, line: int = number, record: str = record_id) -> InputError:
            return InputError(what, file=str(path), line=line, record=record)

        label, part = row["label"] or "", row.get("part") or ""
        part = OLD_PARTS.get(part, part)
        if label not in (VIRUS, OTHERS):
            raise bad(f"label {label!r} is neither {VIRUS} nor {OTHERS}")
        if part and part not in PARTS:
            raise bad(f"part {part!r} is none of {', '.join(PARTS)}")
        if record_id in rows or record_id in seen:
            raise bad("the id is there twice")
        group = row.get("group") or f"record {record_id}"
        rows[record_id] = Label(virus=label == VIRUS, group=group, taxon=row.get("taxon") or "", part=part)
    return rows

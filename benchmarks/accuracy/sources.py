"""Labelled genomes from which contigs are cut: FASTA, and a table with what is known of each record."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.labels import OTHERS, VIRUS
from virnucpro_tasks.reads.inputs import ReadInput, each_input


@dataclass(frozen=True, slots=True)
class Source:
    """A labelled sequence (upper-case DNA). Records of one `group` are alike; `taxon`, `genus` and `date` may be empty.

    `date` is written as YYYY, YYYY-MM or YYYY-MM-DD.
    """

    record_id: str
    sequence: bytes
    virus: bool
    group: str
    taxon: str
    kind: str
    genus: str
    date: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns of a table of labels; `without` is a pattern of what is cut off the text of a group."""

    group: str = "group"
    taxon: str = "taxon"
    without: str = ""


def read_sources(
    fasta: Sequence[Path], tables: Sequence[Path], columns: Columns, kinds: dict[str, str]
) -> list[Source]:
    """The records that the tables name, in the order of the files; others are left out.

    A record's kind is its column `kind`, or else what `kinds` says of its taxon, or `virus` or `others`. Raises
    InputError for a table without the columns id and label, for another label, and if no record is named.
    """
    rows: dict[str, dict[str, str]] = {}
    for table in tables:
        rows |= _rows(table, columns)
    found = []
    for _, records in each_input([ReadInput(path, str(path)) for path in fasta]):
        for record in records:
            record_id = record.record_id.decode(errors="replace")
            if record_id in rows and record.sequence:
                found.append(_source(record_id, record.sequence, rows[record_id], columns, kinds))
    if not found:
        raise InputError(
            "no record is named in the tables of labels",
            file=", ".join(map(str, fasta)),
            hint="the column id holds the first word of a header",
        )
    return found


def read_kinds(path: Path) -> dict[str, str]:
    """Kinds by taxon, from a tab-separated table with the columns taxon and kind. Raises InputError."""
    return {row["taxon"]: row["kind"] for row in _table(path, ("taxon", "kind"))}


def _rows(path: Path, columns: Columns) -> dict[str, dict[str, str]]:
    rows = {row["id"]: row for row in _table(path, ("id", "label"))}
    for record_id, row in rows.items():
        if row["label"] not in (VIRUS, OTHERS):
            raise InputError(
                f"label {row['label']!r} is neither {VIRUS} nor {OTHERS}", file=str(path), record=record_id
            )
        for column in (columns.group, columns.taxon):
            if column not in row and column not in ("group", "taxon"):
                raise InputError(f"has no column {column!r}", file=str(path), line=1)
    return rows


def _table(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
            if missing := [name for name in needed if name not in (reader.fieldnames or ())]:
                raise InputError(f"has no column {missing[0]!r}", file=str(path), line=1)
            return list(reader)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except UnicodeDecodeError:
        raise InputError("this is not text", file=str(path), hint="give a tab-separated table") from None


def _source(record_id: str, sequence: bytes, row: dict[str, str], columns: Columns, kinds: dict[str, str]) -> Source:
    group = row.get(columns.group) or record_id
    if columns.without:
        group = re.split(columns.without, group)[0] or group
    taxon = row.get(columns.taxon) or ""
    virus = row["label"] == VIRUS
    kind = row.get("kind") or kinds.get(taxon) or row["label"]
    return Source(record_id, sequence, virus, group, taxon, kind, row.get("genus") or "", row.get("date") or "")

"""Division of the corpus into training, validation and test: whole groups, spread over the taxa."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

GENE_GROUP = "m_"
"""How the groups of training.genes begin: their records are single genes, and only train."""

TRAIN, VALIDATION, TEST, LEFT_OUT = "train", "validation", "test", "left out"
SPLITS = (TRAIN, VALIDATION, TEST, LEFT_OUT)

HELD_OUT = {VALIDATION: 0.12, TEST: 0.12}
"""Share of the groups of each taxon. A taxon of one group trains: without it nothing of its kind would be seen."""

_YES = "yes"
_STRAIN = re.compile(r"\(.*|\b(segment|strain|isolate|complete|genome|rna \d)\b.*")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row of labels.tsv."""

    record_id: str
    virus: bool
    group: str
    taxon: str
    name: str
    in_shared_data: bool


def read_labels(path: Path) -> list[Labelled]:
    """The rows of a labels.tsv of ../shared/train, in order."""
    with path.open(encoding="utf-8", newline="") as handle:
        return [
            Labelled(
                record_id=row["id"],
                virus=row["label"] == "virus",
                group=row["group"],
                taxon=row["taxon"],
                name=row["name"],
                in_shared_data=row["in_shared_data"] == _YES,
            )
            for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def read_splits(path: Path) -> dict[str, str]:
    """The split of each record id, from the splits.tsv of training.prepare."""
    with path.open(encoding="utf-8", newline="") as handle:
        return {row["id"]: row["split"] for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)}


def species(name: str) -> str:
    """The species in a record's name, lower case: without segment, strain and whatever follows."""
    return " ".join(_STRAIN.sub("", name.lower().replace(",", " ").replace("_", " ")).split())


def assign_splits(rows: Sequence[Labelled], *, elsewhere: Iterable[str], seed: int) -> dict[str, str]:
    """The split of each record id.

    Groups are dealt in an order that depends on `seed` and the group's name alone. Of the viruses a whole group is
    left out if a record of it is in ../shared/data, or is named like one of the virus names `elsewhere`; of the
    others only those records are, because all of human is one group.
    """
    names = {species(name) for name in elsewhere}
    known = {
        row.group
        for row in rows
        if row.virus and (row.in_shared_data or any(_names(name, species(row.name)) for name in names))
    }
    by_taxon: dict[tuple[bool, str], set[str]] = defaultdict(set)
    for row in rows:
        if row.group not in known:
            by_taxon[row.virus, row.taxon].add(row.group)
    split_of_group: dict[tuple[bool, str], str] = {}
    # A group with records of two taxa is dealt with the first; the smallest taxa come first and keep their share.
    for (virus, _), groups in sorted(by_taxon.items(), key=lambda item: (len(item[1]), item[0])):
        free = sorted((group for group in groups if (virus, group) not in split_of_group), key=_order(seed))
        counts = {split: _share(len(free), share) for split, share in HELD_OUT.items()}
        for split, count in counts.items():
            for group in free[:count]:
                split_of_group[virus, group] = split
            free = free[count:]
        split_of_group |= {(virus, group): TRAIN for group in free}
    return {
        row.record_id: LEFT_OUT if row.group in known or row.in_shared_data else split_of_group[row.virus, row.group]
        for row in rows
    }


def _names(one: str, other: str) -> bool:
    return bool(one) and (other == one or other.startswith(one + " ") or one.startswith(other + " "))


def _share(groups: int, share: float) -> int:
    """One of three groups, or the share rounded."""
    return max(round(groups * share), int(groups >= 3))


def _order(seed: int) -> Callable[[str], bytes]:
    return lambda group: hashlib.sha256(f"{seed}/{group}".encode()).digest()

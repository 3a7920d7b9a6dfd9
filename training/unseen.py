"""Contigs of other sequences than those trained on, without the genera that trained, for testing a bundle.

    python -m training.unseen ../shared/data --data FOLDER --output PREFIX

The folder holds viruses.fasta, others.fasta and labels.tsv. Viruses are taken whole: training.prepare left out their
groups. Of the others it left out only the records themselves, so here a record is dropped if its name has the genus of
a group that trained. Writes PREFIX.fasta and PREFIX.labels.tsv (id, label, group, taxon); as many contigs of viruses as
of others, lengths log-uniform from 300 to 5,000 bases, either strand.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

import numpy as np

from training.contigs import COMPLEMENT, LONGEST, MOST_UNKNOWN, SHORTEST
from training.prepare import SPLITS_FILE, read_fasta
from training.splits import TRAIN

_GENUS_GROUP = "o_"
_WORDS = re.compile(r"[a-z]+")


def trained_genera(splits: Path) -> set[str]:
    """Genera (lower case) of the groups of others that trained."""
    with splits.open(encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {
            row["group"].removeprefix(_GENUS_GROUP)
            for row in rows
            if row["label"] == "others" and row["split"] == TRAIN
        }


def unseen_rows(labels: Path, genera: set[str]) -> list[dict[str, str]]:
    """The viruses of a labels.tsv, and those others whose name has no word of `genera`."""
    with labels.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [row for row in rows if row["label"] == "virus" or not genera & set(_WORDS.findall(row["name"].lower()))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    parser.add_argument("--count", type=int, default=1_200)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX")
    options = parser.parse_args()
    rows = unseen_rows(options.source / "labels.tsv", trained_genera(options.data / SPLITS_FILE))
    sequences = {
        record.record_id.decode(): record.sequence
        for file in ("viruses.fasta", "others.fasta")
        for record in read_fasta(options.source / file)
    }
    random = np.random.default_rng(options.seed)
    of_label = {label: [row for row in rows if row["label"] == label] for label in ("virus", "others")}
    print({label: f"{len(chosen)} records" for label, chosen in of_label.items()})
    with (
        options.output.with_suffix(".fasta").open("wb") as fasta,
        options.output.with_suffix(".labels.tsv").open("w", encoding="utf-8") as table,
    ):
        table.write("id\tlabel\tgroup\ttaxon\n")
        number = 0
        while number < options.count:
            label = ("others", "virus")[number % 2]
            length = int(np.exp(random.uniform(np.log(SHORTEST), np.log(LONGEST))))
            row = of_label[label][int(random.integers(len(of_label[label])))]
            whole = sequences[row["id"]]
            if len(whole) < length:
                continue
            start = int(random.integers(len(whole) - length + 1))
            sequence = whole[start : start + length]
            if sequence.count(b"N") > MOST_UNKNOWN * length:
                continue
            if random.random() < 0.5:
                sequence = sequence.translate(COMPLEMENT)[::-1]
            number += 1
            fasta.write(b">u%06d\n%s\n" % (number, sequence))
            # Segments and replicons of one organism are one group.
            name = re.split(r" seg| RNA | plasmid| chr", row["name"])[0]
            table.write(f"u{number:06d}\t{label}\t{name}\t{row['group']}\n")


if __name__ == "__main__":
    main()

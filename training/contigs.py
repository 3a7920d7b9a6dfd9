"""Labelled contigs from the prepared corpus, for fitting and testing a head.

    python -m training.contigs --data FOLDER --split train --count 6000 --output PREFIX

Writes PREFIX.fasta and PREFIX.labels.tsv (id, label, group, taxon, part). Labels alternate; within a label taxa and
groups are drawn as for pre-training. Lengths are log-uniform from 300 to 5,000 bases and drawn before the record.

The part says how `virnucpro train` uses them. Contigs of the groups that the encoders were trained on are for training
and validation of the head. Those of the encoders' validation groups calibrate it, because vectors of groups that the
encoders were trained on are further apart. Those of the test groups are for its test.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training.corpus import CORPUS_FILE, TEST_FILE, Corpus
from training.sampling import are_genes, record_weights
from training.splits import TEST, TRAIN, VALIDATION
from virnucpro_tasks.heads import labels as head_parts
from virnucpro_tasks.heads.labels import Label
from virnucpro_tasks.heads.splits import split_records

PART = {TRAIN: head_parts.TRAIN, VALIDATION: head_parts.CALIBRATE, TEST: head_parts.TEST}
"""Part of the head's labels by split of the corpus."""

SHORTEST, LONGEST = 300, 5_000
MOST_UNKNOWN = 0.02
COMPLEMENT = bytes.maketrans(b"ACGTN", b"TGCAN")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    parser.add_argument("--split", choices=(TRAIN, VALIDATION, TEST), default=TRAIN)
    parser.add_argument("--count", type=int, default=6_000)
    parser.add_argument("--longest", type=int, default=LONGEST)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX")
    options = parser.parse_args()
    corpus = Corpus.load(options.data / (TEST_FILE if options.split == TEST else CORPUS_FILE))
    random = np.random.default_rng(options.seed)
    members = corpus.members(options.split)
    members = members[~are_genes(corpus, members)]
    chosen = {label: members[corpus.virus[members] == label] for label in (False, True)}
    weights = {label: record_weights(corpus, records) for label, records in chosen.items()}
    labels: list[Label] = []
    with options.output.with_suffix(".fasta").open("wb") as fasta:
        while len(labels) < options.count:
            virus = bool(len(labels) % 2)
            length = int(np.exp(random.uniform(np.log(SHORTEST), np.log(options.longest))))
            record = random.choice(chosen[virus], p=weights[virus])
            free = int(corpus.lengths[record]) - length
            if free < 0:
                continue
            start = int(corpus.starts[record]) + int(random.integers(free + 1))
            sequence = corpus.letters[start : start + length]
            if sequence.count(b"N") > MOST_UNKNOWN * length:
                continue
            if random.random() < 0.5:
                sequence = sequence.translate(COMPLEMENT)[::-1]
            fasta.write(b">%s\n%s\n" % (name_of(options.split, len(labels)).encode(), sequence))
            group, taxon = corpus.groups[corpus.group[record]], corpus.taxa[corpus.taxon[record]]
            labels.append(Label(virus=virus, group=group, taxon=taxon))
    validation: set[int] = set()
    if options.split == TRAIN:
        validation |= set(split_records(labels, seed=options.seed)[head_parts.VALIDATION].tolist())
    with options.output.with_suffix(".labels.tsv").open("w", encoding="utf-8") as table:
        table.write("id\tlabel\tgroup\ttaxon\tpart\n")
        for number, label in enumerate(labels):
            part = head_parts.VALIDATION if number in validation else PART[options.split]
            kind = "virus" if label.virus else "others"
            table.write("\t".join([name_of(options.split, number), kind, label.group, label.taxon, part]) + "\n")


def name_of(split: str, number: int) -> str:
    """The id of a contig, different in each split."""
    return f"{split}{number + 1:06d}"


if __name__ == "__main__":
    main()

"""Labelled contigs out of the prepared corpus, for fitting a head and for judging one.

    python -m training.contigs --data FOLDER --split train --count 6000 --output PREFIX

Writes PREFIX.fasta and PREFIX.labels.tsv (id, label, group, taxon, part). Labels alternate; within a label taxa and
groups are drawn as for pre-training. Lengths are log-uniform from 300 to 5,000 bases and drawn before the record.

The part says what `virnucpro train` may do with them: contigs of the groups that the encoders were trained on fit the
head and stop the fit, those of the validation groups calibrate it, because vectors of the former are further apart, and
those of the test groups judge it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training.corpus import CORPUS_FILE, TEST_FILE, Corpus
from training.sampling import record_weights
from training.splits import TEST, TRAIN, VALIDATION
from virnucpro_tasks.heads.labels import CALIBRATE, JUDGE, STOP, Label
from virnucpro_tasks.heads.labels import TRAIN as FIT
from virnucpro_tasks.heads.splits import split_records

PART = {TRAIN: FIT, VALIDATION: CALIBRATE, TEST: JUDGE}

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
    stop = set(split_records(labels, seed=options.seed)[STOP].tolist()) if options.split == TRAIN else set()
    with options.output.with_suffix(".labels.tsv").open("w", encoding="utf-8") as table:
        table.write("id\tlabel\tgroup\ttaxon\tpart\n")
        for number, label in enumerate(labels):
            part = STOP if number in stop else PART[options.split]
            kind = "virus" if label.virus else "others"
            table.write("\t".join([name_of(options.split, number), kind, label.group, label.taxon, part]) + "\n")


def name_of(split: str, number: int) -> str:
    """The id of a contig, different in each split."""
    return f"{split}{number + 1:06d}"


if __name__ == "__main__":
    main()

"""Write what pre-training reads: the corpus and a tokenizer.

    python -m training.prepare ../shared/train --leave-out ../shared/data --output FOLDER

The test split is in a file of its own, which nothing that trains or chooses opens. `splits.tsv` lists all records.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from training.corpus import CORPUS_FILE, TEST_FILE, TOKENIZER_FILE, Corpus
from training.sampling import FrameSampler
from training.splits import LEFT_OUT, SPLITS, TEST, TRAIN, Labelled, assign_splits, read_labels
from virnucpro_tasks.models.demo import train_tokenizer
from virnucpro_tasks.reads.records import Record, read_records
from virnucpro_tasks.reads.sources import open_input

SPLITS_FILE = "splits.tsv"
TOKENIZER_FRAMES = 60_000
SEED = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with viruses.fasta.gz, others.fasta.gz, labels.tsv")
    parser.add_argument("--leave-out", type=Path, required=True, help="folder whose species are kept unseen")
    parser.add_argument("--genes", type=Path, help="folder written by training.genes, whose records train")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--vocabulary", type=int, default=1024, help="tokens of the nucleotide tokenizer")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()

    options.output.mkdir(parents=True, exist_ok=True)
    rows = read_labels(options.source / "labels.tsv")
    split_of = assign_splits(rows, elsewhere=_virus_names(options.leave_out / "labels.tsv"), seed=options.seed)
    if options.genes:
        genes = read_labels(options.genes / "labels.tsv")
        rows += genes
        split_of |= {row.record_id: TRAIN for row in genes}
    with (options.output / SPLITS_FILE).open("w", encoding="utf-8") as handle:
        handle.write("id\tlabel\tgroup\ttaxon\tsplit\n")
        for row in rows:
            label = "virus" if row.virus else "others"
            handle.write("\t".join([row.record_id, label, row.group, row.taxon, split_of[row.record_id]]) + "\n")

    sequences = {
        record.record_id.decode(): record.sequence
        for folder in [options.source, *([options.genes] if options.genes else [])]
        for file in ("viruses.fasta.gz", "others.fasta.gz")
        for record in read_fasta(folder / file)
    }
    held = [row for row in rows if split_of[row.record_id] == TEST]
    _corpus(held, sequences, split_of).save(options.output / TEST_FILE)
    kept = [row for row in rows if split_of[row.record_id] not in (TEST, LEFT_OUT)]
    corpus = _corpus(kept, sequences, split_of)
    corpus.save(options.output / CORPUS_FILE)
    frames = FrameSampler(corpus, TRAIN, seed=options.seed).sample(TOKENIZER_FRAMES)
    tokenizer = train_tokenizer(frames.nucleotides, vocabulary=options.vocabulary)
    tokenizer.save(str(options.output / TOKENIZER_FILE))

    for split, label in sorted(Counter((split_of[row.record_id], row.virus) for row in rows)):
        chosen = [row for row in rows if (split_of[row.record_id], row.virus) == (split, label)]
        bases = sum(len(sequences[row.record_id]) for row in chosen)
        count = len({row.group for row in chosen})
        print(
            f"{split:10} {'virus' if label else 'others':6} {len(chosen):5} records {count:5} groups {bases:10} bases"
        )


def _corpus(rows: Sequence[Labelled], sequences: Mapping[str, bytes], split_of: Mapping[str, str]) -> Corpus:
    taxa, groups = sorted({row.taxon for row in rows}), sorted({row.group for row in rows})
    ends = np.cumsum([len(sequences[row.record_id]) for row in rows])
    return Corpus(
        letters=b"".join(sequences[row.record_id] for row in rows),
        starts=np.concatenate([[0], ends[:-1]]),
        ends=ends,
        virus=np.array([row.virus for row in rows]),
        taxon=np.array([taxa.index(row.taxon) for row in rows]),
        group=np.searchsorted(groups, [row.group for row in rows]),
        split=np.array([SPLITS.index(split_of[row.record_id]) for row in rows]),
        taxa=taxa,
        groups=groups,
        splits=list(SPLITS),
    )


def read_fasta(path: Path) -> Iterator[Record]:
    with open_input(path, name=path.name) as stream:
        yield from read_records(stream, name=path.name)


def _virus_names(labels: Path) -> list[str]:
    with labels.open(encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row["name"] for row in rows if row["label"] == "virus"]


if __name__ == "__main__":
    main()

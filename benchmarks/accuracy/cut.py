"""Cuts contigs from labelled genomes at random, the same for the same seed."""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy.sources import Source
from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.labels import OTHERS, VIRUS
from virnucpro_tasks.heads.strands import reverse_complement

MOST_UNKNOWN = 0.02
"""Largest share of letters other than A, C, G and T in a contig."""

WHOLE = "whole"
"""Stands for a range of lengths where records are not cut."""

_TRIES = 10_000
_LENGTHS = re.compile(r"(\d+)(?:-(\d+))?")
COLUMNS = ("id", "label", "group", "taxon", "kind", "lengths", "length", "source", "start", "end", "strand")


@dataclass(frozen=True, slots=True)
class Lengths:
    """A range of lengths of contigs in bases, both ends included, named as it was given; one length has equal ends."""

    name: str
    shortest: int
    longest: int

    @classmethod
    def parse(cls, text: str) -> Lengths:
        """From `500` or `300-5000`. Raises ValueError."""
        match = _LENGTHS.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no length and no range: 500, or 300-5000")
        shortest, longest = int(match[1]), int(match[2] or match[1])
        if not 1 <= shortest <= longest:
            raise ValueError(f"{text!r}: the first length is at least 1, and the second no smaller")
        return cls(text, shortest, longest)


@dataclass(frozen=True, slots=True)
class Contig:
    """A piece of a source: bases `start` to `end` (1-based, inclusive), of its reverse complement on strand `-`."""

    contig_id: str
    lengths: str
    source: Source
    start: int
    end: int
    strand: str
    sequence: bytes


def cut_contigs(
    sources: Sequence[Source], lengths: Sequence[Lengths], *, count: int, seed: int, viral_share: float = 0.5
) -> Iterator[Contig]:
    """Yield `count` contigs of each range of lengths, of which a share `viral_share`, evenly spread, is viral.

    The length is drawn first (log-uniform in its range), then a group of the class (each the same chance), a record of
    it and a start (all places of the group the same), and a strand. What is too short, or has too many unknown bases,
    is drawn again. Raises InputError if nothing of a class is long enough.
    """
    for place, wanted in enumerate(lengths):
        random = np.random.default_rng([seed, place])
        groups = {virus: _by_group(sources, virus=virus) for virus in (False, True)}
        for number in range(1, count + 1):
            virus = _viruses_among(number, viral_share) > _viruses_among(number - 1, viral_share)
            yield _cut(groups[virus], wanted, random, virus=virus, number=number)


def whole_records(sources: Sequence[Source]) -> list[Contig]:
    """Each source as one contig with its id, for sequences that are contigs already."""
    return [
        Contig(source.record_id, WHOLE, source, 1, len(source.sequence), "+", source.sequence) for source in sources
    ]


def write_contigs(folder: Path, contigs: Sequence[Contig]) -> tuple[Path, Path]:
    """Write contigs.fasta and contigs.tsv, a row of COLUMNS for each; returns their paths."""
    fasta, table = folder / "contigs.fasta", folder / "contigs.tsv"
    with fasta.open("wb") as sequences, table.open("w", encoding="utf-8", newline="") as rows:
        writer = csv.writer(rows, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for contig in contigs:
            source = contig.source
            sequences.write(b">%b\n%b\n" % (contig.contig_id.encode(), contig.sequence))
            label = VIRUS if source.virus else OTHERS
            described = (contig.contig_id, label, source.group, source.taxon, source.kind, contig.lengths)
            place = (len(contig.sequence), source.record_id, contig.start, contig.end, contig.strand)
            writer.writerow((*described, *place))
    return fasta, table


def _viruses_among(contigs: int, share: float) -> int:
    # The product of a share such as 0.1 may be just below a whole number.
    return math.floor(contigs * share + 1e-9)


def _by_group(sources: Sequence[Source], *, virus: bool) -> list[list[Source]]:
    """The sources of a class by group, in an order that does not depend on that of the files."""
    groups: dict[str, list[Source]] = defaultdict(list)
    for source in sorted(sources, key=lambda source: source.record_id):
        if source.virus == virus:
            groups[source.group].append(source)
    return [groups[name] for name in sorted(groups)]


def _cut(
    groups: Sequence[Sequence[Source]], lengths: Lengths, random: np.random.Generator, *, virus: bool, number: int
) -> Contig:
    for _ in range(_TRIES):
        drawn = random.uniform(math.log(lengths.shortest), math.log(lengths.longest + 1))
        length = min(int(math.exp(drawn)), lengths.longest)
        group = groups[int(random.integers(len(groups)))] if groups else ()
        places = np.array([max(0, len(source.sequence) - length + 1) for source in group])
        if not places.sum():
            continue
        place = int(random.integers(places.sum()))
        ends = np.cumsum(places)
        which = int(np.searchsorted(ends, place, side="right"))
        start = place - int(ends[which] - places[which])
        sequence = group[which].sequence[start : start + length]
        strand = "+-"[int(random.integers(2))]
        if sum(sequence.count(base) for base in (b"A", b"C", b"G", b"T")) < (1 - MOST_UNKNOWN) * length:
            continue
        name = f"c{lengths.name}_{number:06d}"
        oriented = reverse_complement(sequence) if strand == "-" else sequence
        return Contig(name, lengths.name, group[which], start + 1, start + length, strand, oriented)
    raise InputError(
        f"no record of {'viruses' if virus else 'others'} has {lengths.name} bases that are known",
        file="the labelled records",
        hint="give shorter lengths",
    )

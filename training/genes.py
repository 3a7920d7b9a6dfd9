"""Genes of phages, bacteria and archaea from the markers of MetaPhlAn2, as further groups to train on.

    python -m training.genes markers.fasta ../shared/train --leave-out ../shared/data --data FOLDER --output FOLDER

markers.fasta is of the Debian package metaphlan2-data 2.6.0+ds-4 (MIT licence): a million genes of public genomes, in
the order of taxonomy (archaea, bacteria, eukaryotes, viruses), so that relatives are beside each other. Genes of
viruses are named by their GeneID alone, those of others by accession and place. --data was written by training.prepare:
genes that share words with its groups of validation and test, with what it left out, or with the folder --leave-out are
not taken, nor are those of others beside them. Writes viruses.fasta.gz, others.fasta.gz and labels.tsv for
`training.prepare --genes`, and genomes.tsv, which tells of which genomes they are.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.organisms import Organism, organism
from training.prepare import SPLITS_FILE, read_fasta
from training.splits import GENE_GROUP, TRAIN, read_labels, read_splits
from training.words import (
    BASES,
    Words,
    share,
    together,
    words_of_bases,
    words_of_both_strands,
    words_of_gene,
    words_of_six_frames,
)

ARCHAEA = range(51_749)
BACTERIA = range(52_877, 949_043)
"""Places in markers.fasta; between them are some bacteria, after them eukaryotes and then viruses."""

KNOWN_RELATIVES = (
    *("NC_014002", "NC_000916", "NC_014160", "NC_015681", "NC_010655", "NC_014497", "NC_010287"),
    *("NC_000963", "NC_002935", "NC_003228", "NC_003888", "NC_014623", "NC_002662"),
)
"""Genomes of genera that --leave-out or the held-out groups have, in case no gene of them is in their slices."""

BESIDE, BESIDE_KNOWN = (1000, 1001), (1200, 1400)
"""Genes before and after one of a held-out genome that are not taken: a species has about 200."""

MOST_SHARED = 0.02
"""Share of its words of bases that a gene, or all genes of a virus, may have in what is held out."""

MOST_VIRAL = 0.10
"""Share of its words of residues that a gene of others may have in phages: more are of prophages."""

SAME_GENOME = 150
"""Genes of one virus have GeneIDs no further than this from one of the six before."""

LEAST_OF_A_GENOME = 20
GENES_OF = {Organism.ARCHAEON: 150, Organism.BACTERIUM: 50}
SHORTEST_VIRAL, SHORTEST_OTHER = 210, 350
SEED = 20

TAXA = {
    Organism.PHAGE: "Caudoviricetes",
    Organism.ARCHAEAL_VIRUS: "archaeal viruses",
    Organism.BACTERIUM: "Bacteria",
    Organism.ARCHAEON: "Archaea",
}

_ACCESSION = re.compile(r"\|(?:ref|gb|dbj|emb)\|(?:NZ_)?([A-Z]+_?)(\d+)\.\d")
_COLUMNS = (
    "id",
    "label",
    "group",
    "taxon",
    "name",
    "length",
    "n_ambiguous",
    "source",
    "source_path",
    "source_licence",
    "in_shared_data",
)


class Gene(NamedTuple):
    """A record of markers.fasta; `place` is its number there."""

    place: int
    name: str
    sequence: bytes


class Taken(NamedTuple):
    """A gene that trains, with the group it belongs to."""

    gene: Gene
    group: str
    kind: Organism


def genome_of(name: str) -> str | None:
    """The accession in the name of a gene, of a draft genome that of the project; None without one."""
    found = _ACCESSION.search(name)
    if found is None:
        return None
    letters, digits = found.groups()
    return letters + (digits[:2] if re.fullmatch("[A-Z]{4}", letters) else digits)


def viral_genomes(genes: Iterable[Gene]) -> Iterator[list[Gene]]:
    """Genes of viruses, one after another in the file, by genome."""
    genome: list[Gene] = []
    before: list[int] = []
    for gene in genes:
        kind, _, number = gene.name.partition(":")
        near = kind == "GeneID" and any(abs(int(number) - other) <= SAME_GENOME for other in before)
        if genome and not near:
            yield genome
            genome, before = [], []
        genome.append(gene)
        if kind == "GeneID":
            before = [*before, int(number)][-6:]
    if genome:
        yield genome


def kind_of_virus(genome: Sequence[Gene], known: Mapping[Organism, Words]) -> Organism | None:
    """Phage or virus of archaea, by the words of residues that its genes share with known viruses; else None.

    A large genome without relatives among the viruses of eukaryotes counts as a phage: most of them are.
    """
    words = [together([words_of_gene(gene.sequence)]) for gene in genome]
    count = max(sum(map(len, words)), 1)
    archaeal, phage, other = (
        sum(share(part, known[kind]) * len(part) for part in words) / count
        for kind in (Organism.ARCHAEAL_VIRUS, Organism.PHAGE, Organism.OTHER_VIRUS)
    )
    if archaeal > max(0.05, phage, other) and len(genome) >= 3:
        return Organism.ARCHAEAL_VIRUS
    if phage > max(0.07, other) and count >= 100:
        return Organism.PHAGE
    return Organism.PHAGE if len(genome) >= 12 and other < 0.09 else None


def viral_genes(genes: Iterable[Gene], known: Mapping[Organism, Words], held: Words) -> Iterator[Taken]:
    """Genes of phages and viruses of archaea that share next to nothing with what is `held` out."""
    named = (gene for gene in genes if gene.name.startswith(("GeneID", "NC_")))
    for genome in viral_genomes(named):
        kind = kind_of_virus(genome, known)
        if kind is None:
            continue
        shares = [share(words_of_bases(gene.sequence), held) for gene in genome]
        lengths = [len(gene.sequence) for gene in genome]
        if np.average(shares, weights=lengths) > MOST_SHARED:
            continue
        for gene, part in zip(genome, shares, strict=True):
            if part <= MOST_SHARED and len(gene.sequence) >= SHORTEST_VIRAL:
                yield Taken(gene, f"{GENE_GROUP}v{genome[0].place}", kind)


def beside_held_out(genes: Sequence[Gene], held: Words) -> NDArray[np.bool_]:
    """(places,): whether a gene of archaea or bacteria is of a held-out genome or near one in the order of taxonomy."""
    near = np.zeros(BACTERIA.stop, np.bool_)
    relatives = dict.fromkeys(KNOWN_RELATIVES, False)
    for gene in genes:
        genome = genome_of(gene.name)
        before, after = 0, 0
        # A word at two places: a held-out slice with this gene has both, and looking for all would take long.
        if any(share(words_of_bases(gene.sequence[at : at + BASES]), held) for at in (50, 110)):
            before, after = BESIDE
        if genome in relatives and not relatives[genome]:
            relatives[genome] = True
            before, after = BESIDE_KNOWN
        if after:
            near[max(0, gene.place - before) : gene.place + after] = True
    return near


def other_genes(genes: Sequence[Gene], near: NDArray[np.bool_], phages: Words, held: Words) -> Iterator[Taken]:
    """Genes of bacteria and archaea, some of each genome, without those of prophages and of what is `held` out."""
    chance = random.Random(SEED)
    genomes: dict[str, list[Gene]] = defaultdict(list)
    for gene in genes:
        genome = genome_of(gene.name)
        if genome and not near[gene.place] and len(gene.sequence) >= SHORTEST_OTHER:
            genomes[genome].append(gene)
    for genome, members in sorted(genomes.items()):
        if len(members) < LEAST_OF_A_GENOME:
            continue
        kind = Organism.ARCHAEON if members[0].place in ARCHAEA else Organism.BACTERIUM
        for gene in chance.sample(members, min(len(members), GENES_OF[kind])):
            viral = share(words_of_gene(gene.sequence), phages)
            if viral <= MOST_VIRAL and share(words_of_bases(gene.sequence), held) <= MOST_SHARED:
                yield Taken(gene, f"{GENE_GROUP}{genome}", kind)


def read_held_out(source: Path, splits: Mapping[str, str], leave_out: Path) -> dict[bool, Words]:
    """Words of all records that do not train, on both strands, of viruses (True) and of others (False)."""
    held: dict[bool, Words] = {}
    for virus, name in ((True, "viruses"), (False, "others")):
        parts = [
            words_of_both_strands(record.sequence)
            for record in read_fasta(source / f"{name}.fasta.gz")
            if splits[record.record_id.decode()] != TRAIN
        ]
        parts += [words_of_both_strands(record.sequence) for record in read_fasta(leave_out / f"{name}.fasta")]
        held[virus] = together(parts)
    return held


def read_known_viruses(source: Path) -> dict[Organism, Words]:
    """Words of residues of all viruses of ../shared/train by their kind, in six frames."""
    taxa = {row.record_id: row.taxon for row in read_labels(source / "labels.tsv")}
    parts: dict[Organism, list[Words]] = defaultdict(list)
    for record in read_fasta(source / "viruses.fasta.gz"):
        kind = organism(taxa[record.record_id.decode()], virus=True)
        parts[kind].append(together([words_of_six_frames(record.sequence)]))
    return {kind: together(found) for kind, found in parts.items()}


def write_genes(folder: Path, taken: Sequence[Taken]) -> None:
    """A folder as ../shared/train is."""
    folder.mkdir(parents=True, exist_ok=True)
    viral = (Organism.PHAGE, Organism.ARCHAEAL_VIRUS)
    with (
        gzip.open(folder / "viruses.fasta.gz", "wb") as viruses,
        gzip.open(folder / "others.fasta.gz", "wb") as others,
        (folder / "labels.tsv").open("w", encoding="utf-8") as table,
    ):
        table.write("\t".join(_COLUMNS) + "\n")
        for gene, group, kind in taken:
            name = f"{GENE_GROUP}{gene.place:07}"
            (viruses if kind in viral else others).write(b">%s\n%s\n" % (name.encode(), gene.sequence))
            unknown = len(gene.sequence) - sum(gene.sequence.count(base) for base in b"ACGT")
            label = "virus" if kind in viral else "others"
            source = ["metaphlan2-data 2.6.0+ds-4", "markers.fasta", "MIT", "no"]
            row = [name, label, group, TAXA[kind], gene.name, str(len(gene.sequence)), str(unknown), *source]
            table.write("\t".join(row) + "\n")


def write_genomes(path: Path, taken: Sequence[Taken]) -> None:
    """A table of the genomes that genes were taken of: kind, accession or first and last GeneID, genes, bases."""
    members: dict[str, list[Taken]] = defaultdict(list)
    for item in taken:
        members[item.group].append(item)
    with path.open("w", encoding="utf-8") as table:
        table.write("kind\tgenome\tgenes\tbases\n")
        for items in members.values():
            named = [item.gene.name.partition(":") for item in items]
            numbers = sorted(int(number) for kind, _, number in named if kind == "GeneID")
            viral = f"GeneID {numbers[0]} to {numbers[-1]}" if numbers else named[0][0]
            genome = genome_of(items[0].gene.name) or viral
            bases = sum(len(item.gene.sequence) for item in items)
            table.write(f"{items[0].kind}\t{genome}\t{len(items)}\t{bases}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("markers", type=Path)
    parser.add_argument("source", type=Path, help="folder as that of training.prepare")
    parser.add_argument("--leave-out", type=Path, required=True, help="folder whose organisms are kept unseen")
    parser.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    held = read_held_out(options.source, read_splits(options.data / SPLITS_FILE), options.leave_out)
    any_held = together(held.values())
    known = read_known_viruses(options.source)
    genes = [
        Gene(place, record.record_id.decode(), record.sequence)
        for place, record in enumerate(read_fasta(options.markers))
    ]
    viral = list(viral_genes(genes[BACTERIA.stop :], known, any_held))
    phages = together(
        [known[Organism.PHAGE], known[Organism.ARCHAEAL_VIRUS], *(words_of_gene(item.gene.sequence) for item in viral)]
    )
    near = beside_held_out(genes[: BACTERIA.stop], held[False])
    others = list(other_genes([*genes[: ARCHAEA.stop], *genes[BACTERIA.start : BACTERIA.stop]], near, phages, any_held))
    write_genes(options.output, [*viral, *others])
    write_genomes(options.output / "genomes.tsv", [*viral, *others])
    for kind in TAXA:
        chosen = [item for item in (*viral, *others) if item.kind is kind]
        bases = sum(len(item.gene.sequence) for item in chosen)
        print(f"{kind:15} {len(chosen):6} genes {len({item.group for item in chosen}):5} groups {bases:9} bases")


if __name__ == "__main__":
    main()

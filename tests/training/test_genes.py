"""Genes of metaphlan2-data that train: how they are grouped, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from training import genes as module
from training.genes import (
    ARCHAEA,
    BACTERIA,
    BESIDE,
    Gene,
    beside_held_out,
    genome_of,
    kind_of_virus,
    other_genes,
    viral_genes,
    viral_genomes,
    write_genes,
    write_genomes,
)
from training.organisms import Organism
from training.splits import read_labels
from training.words import together, words_of_both_strands, words_of_six_frames

NOTHING = together([])


def bases(seed: int, length: int = 600) -> bytes:
    """Random codons without a T, hence without a stop."""
    return np.random.default_rng(seed).choice(np.frombuffer(b"ACG", np.uint8), length).tobytes()


def gene(place: int, name: str | None = None) -> Gene:
    return Gene(place, name or f"gi|1|ref|NC_{place // 1000:06}.1|:1-600", bases(place))


def known(**of: bytes) -> dict[Organism, np.ndarray]:
    return {
        kind: together([words_of_six_frames(of.get(kind.name, b""))])
        for kind in (Organism.PHAGE, Organism.ARCHAEAL_VIRUS, Organism.OTHER_VIRUS)
    }


@pytest.mark.parametrize(
    ("name", "genome"),
    [
        ("gi|345004010|ref|NC_015954.1|:c1336247-1335993", "NC_015954"),
        ("gi|486412784|ref|NZ_ARQM01000004.1|:17219-17959", "ARQM01"),
        ("gi|562788118|gb|AYNO02000094.1|:6645-7181", "AYNO02"),
        ("GeneID:13827134", None),
    ],
)
def test_the_genome_is_in_the_name(name, genome):
    assert genome_of(name) == genome


def test_near_gene_ids_are_of_one_virus():
    numbers = (1000, 1002, 1140, 9000, 9001, 1003)
    found = viral_genomes(gene(place, f"GeneID:{number}") for place, number in enumerate(numbers))
    assert [[item.place for item in genome] for genome in found] == [[0, 1, 2], [3, 4], [5]]


def test_the_kind_of_a_virus_is_that_of_its_relatives():
    genome = [gene(1), gene(2), gene(3)]
    of_first = genome[0].sequence
    assert kind_of_virus(genome, known(PHAGE=of_first)) is Organism.PHAGE
    assert kind_of_virus(genome, known(ARCHAEAL_VIRUS=of_first)) is Organism.ARCHAEAL_VIRUS
    assert kind_of_virus(genome, known(OTHER_VIRUS=of_first)) is None
    assert kind_of_virus(genome, known()) is None
    assert kind_of_virus([gene(place) for place in range(12)], known()) is Organism.PHAGE


def test_a_virus_that_shares_words_with_what_is_held_out_is_left_out_whole():
    genome = [gene(place, f"GeneID:{place}") for place in range(1000, 1012)]
    assert len(list(viral_genes(genome, known(), NOTHING))) == 12
    held = together([words_of_both_strands(genome[5].sequence)])
    assert list(viral_genes(genome, known(), held)) == []


def test_a_gene_alone_is_left_out_where_its_genome_shares_next_to_nothing():
    genome = [gene(place, f"GeneID:{place}") for place in range(1000, 1060)]
    held = together([words_of_both_strands(genome[5].sequence[:100])])
    assert {item.gene.place for item in viral_genes(genome, known(), held)} == set(range(1000, 1060)) - {1005}


def test_relatives_of_a_held_out_genome_are_left_out():
    some = [gene(60_000), gene(60_000 + BESIDE[1] + 1), gene(70_000)]
    near = beside_held_out(some, together([words_of_both_strands(some[0].sequence)]))
    assert near[60_000 - BESIDE[0] : 60_000 + BESIDE[1]].all()
    assert near.sum() == sum(BESIDE)
    assert not beside_held_out(some, NOTHING).any()


def test_genes_like_those_of_phages_are_no_genes_of_bacteria():
    some = [gene(ARCHAEA.stop - 1 - place, "gi|1|ref|NC_000001.1|:1-600") for place in range(30)]
    near = np.zeros(BACTERIA.stop, np.bool_)
    taken = {item.gene.place for item in other_genes(some, near, NOTHING, NOTHING)}
    assert len(taken) == 30
    phages = together([words_of_six_frames(some[3].sequence)])
    held = together([words_of_both_strands(some[4].sequence)])
    fewer = {item.gene.place for item in other_genes(some, near, phages, held)}
    assert taken - fewer == {some[3].place, some[4].place}


def test_what_is_taken_is_written_as_the_training_set_is(tmp_path):
    taken = [module.Taken(gene(5), "m_v5", Organism.PHAGE), module.Taken(gene(6), "m_NC_1", Organism.ARCHAEON)]
    write_genes(tmp_path / "genes", taken)
    rows = read_labels(tmp_path / "genes" / "labels.tsv")
    assert [(row.record_id, row.virus, row.group, row.taxon) for row in rows] == [
        ("m_0000005", True, "m_v5", "Caudoviricetes"),
        ("m_0000006", False, "m_NC_1", "Archaea"),
    ]


def test_the_genomes_are_listed(tmp_path):
    taken = [module.Taken(gene(place, f"GeneID:{place}"), "m_v5", Organism.PHAGE) for place in (7, 5, 9)]
    write_genomes(tmp_path / "genomes.tsv", [*taken, module.Taken(gene(6000), "m_NC_1", Organism.ARCHAEON)])
    assert (tmp_path / "genomes.tsv").read_text().splitlines()[1:] == [
        "phage\tGeneID 5 to 9\t3\t1800",
        "archaeon\tNC_000006\t1\t600",
    ]

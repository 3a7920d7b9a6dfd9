from __future__ import annotations

import pytest

from training.organisms import SHARES, Organism, organism


@pytest.mark.parametrize(
    ("taxon", "virus", "kind"),
    [
        ("Caudoviricetes (metagenome, complete)", True, Organism.PHAGE),
        ("Microviridae/Inoviridae", True, Organism.PHAGE),
        ("Rudiviridae", True, Organism.ARCHAEAL_VIRUS),
        ("plant virus ssRNA+", True, Organism.OTHER_VIRUS),
        ("Bacteria/Archaea", False, Organism.BACTERIUM),
        ("Archaea/Bacteria", False, Organism.ARCHAEON),
        ("plasmid", False, Organism.PLASMID),
        ("vertebrates (human)", False, Organism.EUKARYOTE),
    ],
)
def test_a_taxon_has_a_kind(taxon, virus, kind):
    assert organism(taxon, virus=virus) is kind


def test_the_shares_of_each_label_are_all():
    virus = {kind for kind in Organism if kind in (Organism.PHAGE, Organism.ARCHAEAL_VIRUS, Organism.OTHER_VIRUS)}
    assert sum(SHARES[kind] for kind in virus) == pytest.approx(1)
    assert sum(SHARES[kind] for kind in set(Organism) - virus) == pytest.approx(1)

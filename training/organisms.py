"""Kinds of organisms by taxon, and how large the share of each kind is in training."""

from __future__ import annotations

from enum import StrEnum


class Organism(StrEnum):
    """Kind of the organism, or of the virus by its host."""

    PHAGE = "phage"
    ARCHAEAL_VIRUS = "archaeal virus"
    OTHER_VIRUS = "virus of eukaryotes"
    BACTERIUM = "bacterium"
    ARCHAEON = "archaeon"
    PLASMID = "plasmid"
    EUKARYOTE = "eukaryote or organelle"


SHARES = {
    Organism.PHAGE: 0.38,
    Organism.ARCHAEAL_VIRUS: 0.06,
    Organism.OTHER_VIRUS: 0.56,
    Organism.BACTERIUM: 0.38,
    Organism.ARCHAEON: 0.12,
    Organism.PLASMID: 0.08,
    Organism.EUKARYOTE: 0.42,
}
"""Share of each kind within its label. By the bases alone, phages and archaea would be few."""

_PHAGES = (
    "Caudoviricetes",
    "Autonotataviridae",
    "Autoscriptoviridae",
    "Autosignataviridae",
    "Autotranscriptaviridae",
    "Microviridae",
)
_ARCHAEAL_VIRUSES = ("Lipothrixviridae", "Rudiviridae", "archaeal viruses")
_PROKARYOTES = {"Bacteria": Organism.BACTERIUM, "Archaea": Organism.ARCHAEON, "plasmid": Organism.PLASMID}


def organism(taxon: str, *, virus: bool) -> Organism:
    """The kind of a taxon of ../shared/train; mixed taxa count as the first that they name."""
    if virus:
        if taxon.startswith(_PHAGES):
            return Organism.PHAGE
        return Organism.ARCHAEAL_VIRUS if taxon in _ARCHAEAL_VIRUSES else Organism.OTHER_VIRUS
    return _PROKARYOTES.get(taxon.split("/")[0], Organism.EUKARYOTE)

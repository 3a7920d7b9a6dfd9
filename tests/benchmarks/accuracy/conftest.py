"""Labelled genomes and contigs made up for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.cut import Contig, Lengths, cut_contigs
from benchmarks.accuracy.sources import Source

VIRAL, OTHER = ("phage", "eukaryotic virus"), ("bacteria", "archaea", "eukaryote")


def dna(random: np.random.Generator, length: int, *, at: float = 0.5) -> bytes:
    """Random bases, a share `at` of them A or T."""
    shares = [at / 2, (1 - at) / 2, (1 - at) / 2, at / 2]
    return random.choice(np.frombuffer(b"ACGT", np.uint8), length, p=shares).tobytes()


@pytest.fixture
def sources() -> list[Source]:
    """Thirty groups of each class with two records each; viruses have more A and T."""
    random = np.random.default_rng(5)
    found = []
    for number in range(60):
        virus = number % 2 == 0
        kind = VIRAL[number // 2 % 2] if virus else OTHER[number // 2 % 3]
        for piece in range(2):
            sequence = dna(random, 1_500 + 100 * piece, at=0.6 if virus else 0.4)
            known = (f"s{number}_{piece}", sequence, virus, f"g{number}", f"t{kind}", kind)
            found.append(Source(*known, genus=f"Genus{number % 4}", date=f"20{10 + number % 4}-05"))
    return found


@pytest.fixture
def contigs(sources: list[Source]) -> list[Contig]:
    """120 contigs of 300 to 1,200 bases and 60 of 400."""
    cut = [*cut_contigs(sources, [Lengths.parse("300-1200")], count=120, seed=3)]
    return [*cut, *cut_contigs(sources, [Lengths.parse("400")], count=60, seed=3)]


@pytest.fixture
def labelled(tmp_path: Path, sources: list[Source]) -> tuple[Path, Path]:
    """The sources as FASTA, and a table of their labels with all columns."""
    fasta, table = tmp_path / "sources.fasta", tmp_path / "labels.tsv"
    fasta.write_bytes(b"".join(b">%b\n%b\n" % (one.record_id.encode(), one.sequence) for one in sources))
    rows = [
        (one.record_id, "virus" if one.virus else "others", one.group, one.taxon, one.kind, one.genus, one.date)
        for one in sources
    ]
    header = ("id", "label", "group", "taxon", "kind", "genus", "date")
    table.write_text("".join("\t".join(row) + "\n" for row in (header, *rows)))
    return fasta, table


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes text to a file at a path below the test's folder."""

    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return written

"""AUROC of the demonstration on a fixed set of species that it was not trained on, and of broken variants.

It falls when frames, attention, pooling or the order of columns are wrong, so a mistake there is noticed.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from Bio.Seq import Seq
from torch import Tensor

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.embed import attention, budget, encoder
from virnucpro_tasks.embed.engine import Embedded, Engine, EngineOptions
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.heads.metrics import Metrics
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.reads.batches import ReadInput, frame_batches

pytestmark = pytest.mark.slow

WHOLE = 0.96
"""Measured 0.983, and 0.933 with all records of the file, whose vectors take four times as long."""

HALF_OF_THEM = 0.925
"""Measured 0.948 with every other record of these."""

HALF_BROKEN = 0.915
"""Measured 0.900 with wrong proteins alone: nucleotides still separate well."""

BROKEN = 0.8

Scores = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Contigs:
    """Frames of the contigs, the record of each, and which records are viruses."""

    nucleotides: list[str]
    proteins: list[str]
    record: np.ndarray
    virus: np.ndarray

    def every(self, step: int) -> tuple[Contigs, np.ndarray]:
        """The first of each `step` records that have frames, and the places of their frames."""
        kept = np.flatnonzero(np.isin(self.record, np.unique(self.record)[::step]))
        columns = ([column[place] for place in kept] for column in (self.nucleotides, self.proteins))
        return Contigs(*columns, self.record[kept], self.virus), kept


@pytest.fixture(scope="module")
def contigs(shared: Path) -> Contigs:
    with (shared / "data/metagenome_small.labels.tsv").open(newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        virus = np.array([row["label"] == "virus" for row in rows])
    columns: tuple[list, list, list] = ([], [], [])
    for batch in frame_batches([ReadInput(shared / "data/metagenome_small.fasta", "x")], chunk_length=500):
        for column, name in zip(columns, ("nucleotides", "protein", "record_ordinal"), strict=True):
            column.extend(batch.frames[name].to_pylist())
    return Contigs(columns[0], columns[1], np.array(columns[2]), virus).every(4)[0]


def embed(nucleotides: list[str], proteins: list[str]) -> Embedded:
    options = EngineOptions("cpu", "fp32", "sdpa", token_budget=None, threads=1)
    return Engine.load(demo_bundle(), options).embed(nucleotides, proteins, should_stop=lambda: False)


@pytest.fixture(scope="module")
def vectors(contigs: Contigs) -> Embedded:
    """The vectors of the unbroken engine."""
    return embed(contigs.nucleotides, contigs.proteins)


@pytest.fixture(scope="module")
def some(contigs: Contigs, vectors: Embedded) -> Contigs:
    """Every other one of the records: enough to see that vectors are of no use any more."""
    part, kept = contigs.every(2)
    known = replace(vectors, nucleotide=vectors.nucleotide[kept], protein=vectors.protein[kept])
    assert auroc(part, known) > HALF_OF_THEM
    return part


def auroc(contigs: Contigs, vectors: Embedded, *, scores: Scores | None = None) -> float:
    virus = (scores or load_head(demo_bundle()).scores)(vectors.nucleotide, vectors.protein)[:, 1]
    records = np.unique(contigs.record)
    means = np.array([virus[contigs.record == record].mean() for record in records])
    return Metrics.of(means, contigs.virus[records]).auroc


def test_as_it_is(contigs: Contigs, vectors: Embedded) -> None:
    assert auroc(contigs, vectors) > WHOLE


def test_columns_in_another_order(contigs: Contigs, vectors: Embedded) -> None:
    head = load_head(demo_bundle())
    assert auroc(contigs, vectors, scores=lambda nucleotide, protein: head.scores(protein, nucleotide)) < BROKEN


def test_proteins_of_another_reading_frame(contigs: Contigs, vectors: Embedded) -> None:
    shifted = [str(Seq(of[1 : len(of) - (len(of) - 1) % 3]).translate()) for of in contigs.nucleotides]
    proteins = [protein.replace("*", "").replace("X", "A") or "A" for protein in shifted]
    broken = replace(vectors, protein=embed([], proteins).protein)
    assert auroc(contigs, broken) < HALF_BROKEN


def test_frames_of_the_next_record(contigs: Contigs, vectors: Embedded) -> None:
    moved = replace(contigs, record=np.roll(contigs.record, 3))
    assert auroc(moved, vectors) < BROKEN


def test_pooling_of_the_wrong_tokens(some: Contigs, monkeypatch: pytest.MonkeyPatch) -> None:
    def last_alone(states: Tensor, segments: Segments, **_: int) -> Tensor:
        return states[segments.cu_seqlens[1:].long() - 1].float()

    monkeypatch.setattr(encoder, "segment_mean", last_alone)
    assert auroc(some, embed(some.nucleotides, some.proteins)) < BROKEN


def test_sequences_that_see_each_other(some: Contigs, monkeypatch: pytest.MonkeyPatch) -> None:
    sdpa = attention.attend_sdpa

    def over_all(query: Tensor, key: Tensor, value: Tensor, _: Segments, **_bias: object) -> Tensor:
        return sdpa(query, key, value, Segments.of([len(query)]))

    monkeypatch.setattr(attention, "attend_sdpa", over_all)
    monkeypatch.setattr(budget, "CPU_TOKENS", 1_024)
    assert auroc(some, embed(some.nucleotides, some.proteins)) < BROKEN

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.organisms import SHARES, Organism
from training.sampling import CHUNK_LENGTH, GENE_SHARE, FrameSampler, are_genes, record_weights
from training.splits import GENE_GROUP, TRAIN, VALIDATION
from virnucpro_tasks.reads.segments import SHORTEST_SEGMENT_RESIDUES

COMPLEMENT = str.maketrans("ACGT", "TGCA")


def test_labels_alternate_and_equal_seeds_give_equal_frames(corpus):
    frames, again = (FrameSampler(corpus, TRAIN, seed=3).sample(200) for _ in range(2))
    assert frames.virus.sum() == 100
    assert frames.nucleotides == again.nucleotides
    assert frames.proteins == again.proteins


def test_streams_differ(corpus):
    one, other = (FrameSampler(corpus, TRAIN, seed=3, stream=stream).sample(50) for stream in (0, 1))
    assert one.nucleotides != other.nucleotides


def test_frames_are_open_and_come_from_the_split(corpus):
    text = corpus.letters.decode()
    borders = corpus.starts[corpus.members(VALIDATION)[0]]
    frames = FrameSampler(corpus, TRAIN, seed=3).sample(100)
    for nucleotides, protein in zip(frames.nucleotides, frames.proteins, strict=True):
        assert "*" not in protein
        assert len(protein) <= CHUNK_LENGTH // 3
        place = max(text.find(nucleotides), text.find(nucleotides.translate(COMPLEMENT)[::-1]))
        assert 0 <= place < borders


def test_a_group_counts_by_the_root_of_its_bases(corpus):
    records = corpus.members(TRAIN)
    records = records[corpus.virus[records]]
    weights = record_weights(corpus, records)
    np.testing.assert_allclose(weights.sum(), 1)
    np.testing.assert_allclose(weights, 1 / len(records))


def test_kinds_of_organisms_have_their_shares(corpus):
    records = corpus.members(TRAIN)
    records = records[~corpus.virus[records]]
    taxa = ["Bacteria", *["vertebrates"] * (len(corpus.taxa) - 1)]
    mixed = replace(corpus, taxa=taxa, taxon=np.where(np.arange(len(corpus.taxon)) == records[0], 0, 1))
    weights = record_weights(mixed, records)
    bacterium, eukaryote = SHARES[Organism.BACTERIUM], SHARES[Organism.EUKARYOTE]
    assert weights[0] == pytest.approx(bacterium / (bacterium + eukaryote))


def test_some_sequences_are_segments_of_chunks_without_an_open_frame(corpus):
    # Without stop codons there is none, and with random bases nearly every chunk is closed.
    letters = np.random.default_rng(2).choice(np.frombuffer(b"ACG", np.uint8), (2, len(corpus.letters)))
    letters[1] = np.random.default_rng(3).choice(np.frombuffer(b"ACGT", np.uint8), len(corpus.letters))
    mixed = bytearray(letters[0].tobytes())
    half = corpus.ends[5]
    mixed[:half] = letters[1].tobytes()[:half]
    shortest = {
        name: min(map(len, FrameSampler(replace(corpus, letters=bytes(text)), TRAIN, seed=3).sample(300).proteins))
        for name, text in {"open": letters[0].tobytes(), "mixed": mixed}.items()
    }
    assert shortest["open"] >= 200 // 3 - 1
    assert SHORTEST_SEGMENT_RESIDUES <= shortest["mixed"] < 200 // 3 - 1


def with_genes(corpus):
    """The corpus with the first group of each taxon as genes."""
    groups = [f"{GENE_GROUP}{name}" if number < 4 else name for number, name in enumerate(corpus.groups)]
    return replace(corpus, groups=groups)


def test_genes_have_their_share_of_each_organism(corpus):
    records = corpus.members(TRAIN)
    chosen = records[~corpus.virus[records]]
    weights = record_weights(with_genes(corpus), chosen)
    genes = are_genes(with_genes(corpus), chosen)
    for taxon in np.unique(corpus.taxon[chosen]):
        inside = corpus.taxon[chosen] == taxon
        assert weights[inside & genes].sum() / weights[inside].sum() == pytest.approx(GENE_SHARE)


def test_genes_alone_have_all_of_their_organism(corpus):
    records = corpus.members(TRAIN)
    chosen = records[~corpus.virus[records]]
    alone = chosen[are_genes(with_genes(corpus), chosen)]
    assert record_weights(with_genes(corpus), alone).sum() == pytest.approx(1)

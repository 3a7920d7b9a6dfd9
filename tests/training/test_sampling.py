from __future__ import annotations

import numpy as np

from training.sampling import CHUNK_LENGTH, FrameSampler, record_weights
from training.splits import TRAIN, VALIDATION

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

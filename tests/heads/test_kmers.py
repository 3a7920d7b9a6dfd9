from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest

from virnucpro_tasks.heads.kmers import kmer_frequencies, kmer_scores
from virnucpro_tasks.heads.labels import Label
from virnucpro_tasks.heads.metrics import Metrics


@pytest.mark.parametrize("k", [4, 6])
def test_both_strands_have_the_same_words(k: int) -> None:
    one, other = kmer_frequencies(b"ACGTTTGACA", k=k), kmer_frequencies(b"TGTCAAACGT", k=k)
    np.testing.assert_array_equal(one, other)
    assert one.shape == (4**k,) and one.sum() == pytest.approx(1)
    assert not kmer_frequencies(b"ACNGT", k=k).any() and not kmer_frequencies(b"", k=k).any()


@pytest.mark.parametrize("k", [4, 6])
def test_the_baseline_sees_composition_and_no_record_of_a_group_it_is_asked_for(k: int) -> None:
    random = np.random.default_rng(0)
    labels = [Label(virus=number % 2 == 0, group=f"g{number // 4}-{number % 2}", taxon="") for number in range(80)]

    def sequence(share: float) -> bytes:
        shares = [share, 0.5 - share, 0.5 - share, share]
        return random.choice(np.frombuffer(b"ACGT", np.uint8), 600, p=shares).tobytes()

    apart = [sequence(0.35 if label.virus else 0.15) for label in labels]
    virus = np.array([label.virus for label in labels])
    assert Metrics.of(kmer_scores(apart, labels, seed=1, k=k), virus).auroc > 0.95
    # Each group has letters of its own and the classes have none: knowing the group would be the only way.
    alike = [sequence(0.05 + 0.4 * (crc32(label.group.encode()) % 7) / 7) for label in labels]
    assert Metrics.of(kmer_scores(alike, labels, seed=1, k=k), virus).auroc < 0.8
    assert np.isnan(kmer_scores(apart[:6], labels[:6], seed=1, k=k)).all()

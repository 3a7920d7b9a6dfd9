from __future__ import annotations

import numpy as np
import torch

from training.splits import VALIDATION
from training.validation import LONGEST, auroc, contig_auroc, draw_contigs, logistic_regression


def test_auroc_counts_pairs_and_ties_half():
    scores, virus = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, True, False, True])
    assert auroc(scores, virus) == (1 + 0.5 + 1 + 1) / 4


def test_contigs_come_from_the_split_in_equal_numbers(corpus):
    contigs = draw_contigs(corpus, VALIDATION, count=20, seed=2)
    assert contigs.virus.sum() == 10
    assert len(contigs.contig) == len(contigs.frames.proteins) == len(contigs.frames.nucleotides)
    assert set(contigs.contig) == set(range(20))
    assert max(map(len, contigs.frames.nucleotides)) <= LONGEST
    np.testing.assert_array_equal(contigs.frames.virus, contigs.virus[contigs.contig])


def test_a_contig_is_judged_by_the_mean_over_its_frames(corpus):
    contigs = draw_contigs(corpus, VALIDATION, count=20, seed=2)
    logits = np.where(contigs.frames.virus, 2.0, -2.0)
    assert contig_auroc(logits, contigs) == 1.0
    assert contig_auroc(-logits, contigs) == 0.0


def test_logistic_regression_finds_a_plane():
    random = torch.Generator().manual_seed(3)
    vectors = torch.randn(2000, 5, generator=random) * 7 + 3
    virus = vectors[:, 1] - vectors[:, 4] > 0
    found = logistic_regression(vectors, virus)(vectors) > 0
    assert (found == virus).float().mean() > 0.98

from __future__ import annotations

import numpy as np

from training.corpus import Corpus


def test_what_is_saved_is_read_again(corpus, tmp_path):
    corpus.save(tmp_path / "corpus.npz")
    again = Corpus.load(tmp_path / "corpus.npz")
    assert again.letters == corpus.letters
    assert (again.taxa, again.groups, again.splits) == (corpus.taxa, corpus.groups, corpus.splits)
    for name in ("starts", "ends", "virus", "taxon", "group", "split"):
        np.testing.assert_array_equal(getattr(again, name), getattr(corpus, name))


def test_a_base_takes_two_bits(corpus, tmp_path):
    corpus.save(tmp_path / "corpus.npz")
    # A few kilobytes of other columns and of the places of N.
    assert (tmp_path / "corpus.npz").stat().st_size < len(corpus.letters) / 4 + 6000

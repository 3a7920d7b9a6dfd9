"""A baseline of `virnucpro evaluate`: logistic regression on counts of words of k bases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.labels import Label

K = 4
FOLDS = 5
BASE_CODES = np.full(256, -1, np.int64)
"""A 0, C 1, G 2, T 3, other letters -1, by byte; 3 - code is the complement."""
BASE_CODES[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4)


def kmer_frequencies(sequence: bytes, *, k: int = K) -> NDArray[np.float64]:
    """Shares of the words of `k` bases, (4^k,), both strands; words with other letters are left out."""
    codes = BASE_CODES[np.frombuffer(sequence, np.uint8)]
    counts = np.zeros(4**k)
    for strand in (codes, np.where(codes >= 0, 3 - codes, -1)[::-1]):
        windows = np.lib.stride_tricks.sliding_window_view(strand, k) if len(strand) >= k else np.empty((0, k), int)
        words = windows[(windows >= 0).all(axis=1)] @ 4 ** np.arange(k)
        counts += np.bincount(words, minlength=4**k)
    return counts / max(counts.sum(), 1)


def kmer_scores(sequences: Sequence[bytes], labels: Sequence[Label], *, seed: int, k: int = K) -> NDArray[np.float64]:
    """P(virus) of each record (n,), cross-validated over five folds of groups: no model saw the group of its records.

    The penalty grows with the number of words, so that it holds the scores back as much for each `k`. NaN for all if
    there are too few groups to divide.
    """
    # Imported here: a client has no scikit-learn.
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    virus = np.array([label.virus for label in labels])
    groups = [label.group for label in labels]
    of_class = [len({group for group, one in zip(groups, virus, strict=True) if one == kind}) for kind in (True, False)]
    scores = np.full(len(labels), np.nan)
    if min(of_class) < FOLDS:
        return scores
    # Longer words in single precision: there are thousands of them.
    precision = np.float64 if k <= K else np.float32
    inputs = np.stack([kmer_frequencies(sequence, k=k).astype(precision) for sequence in sequences])
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(inputs, virus, groups):
        strength = 4.0 ** (K - k)
        regression = LogisticRegression(C=strength, max_iter=2_000, class_weight="balanced")
        model = make_pipeline(StandardScaler(), regression)
        model.fit(inputs[train], virus[train])
        scores[test] = model.predict_proba(inputs[test])[:, 1]
    return scores

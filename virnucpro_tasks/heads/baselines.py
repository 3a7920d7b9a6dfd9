"""Scores of the same records by simple methods, which say how hard the records are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.figures import figures, without_figures
from virnucpro_tasks.heads.kmers import FOLDS, kmer_scores
from virnucpro_tasks.heads.open_stretches import longest_open_share
from virnucpro_tasks.heads.scored_records import ScoredRecords

LONGEST_OPEN_FRAME = "longest open reading frame"
WORDS = {"4-mers": 4, "6-mers": 6}
BASELINES = {
    "4-mers": "baseline_4_mers",
    "6-mers": "baseline_6_mers",
    LONGEST_OPEN_FRAME: "baseline_longest_open_reading_frame",
}
"""Names of the baselines, and their keys in the report."""

_OF_PROBABILITIES = ("f1", "precision", "recall", "false_positive_rate", "calibration_error")
"""Metrics that mean nothing for a score which is no probability."""


def baseline_scores(found: ScoredRecords, sequences: Sequence[bytes], *, seed: int) -> dict[str, NDArray[np.float64]]:
    """Scores (n,) of the records by baseline; `sequences` (n) are theirs. NaN where groups are too few to divide.

    Words of k bases are learnt from other groups than those judged; the longest open reading frame is not learnt.
    """
    scores = {name: kmer_scores(sequences, found.labels, seed=seed, k=k) for name, k in WORDS.items()}
    return scores | {LONGEST_OPEN_FRAME: np.array([longest_open_share(sequence) for sequence in sequences])}


def baseline_figures(
    found: ScoredRecords, scores: dict[str, NDArray[np.float64]], *, seed: int
) -> dict[str, dict[str, Any]]:
    """Figures of each baseline over all records, as `figures` gives them, by the key in the report."""
    report = {}
    for name, values in scores.items():
        baseline = replace(found, scores=values)
        if np.isnan(values).all():
            entry = without_figures(baseline, f"a class has fewer than {FOLDS} groups")
        else:
            entry = figures(baseline, seed=seed)
        if name == LONGEST_OPEN_FRAME:
            entry |= {key: None for key in entry if key.removesuffix("_95") in _OF_PROBABILITIES}
        report[BASELINES[name]] = entry
    return report

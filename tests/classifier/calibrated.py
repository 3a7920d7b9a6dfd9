"""Records whose scores are calibrated by construction: log-odds of two normal distributions, whose ratio they are."""

from __future__ import annotations

import numpy as np

from virnucpro_tasks.classifier.log_odds_bins import BINS, Integers, bins_of


def calibrated(records: int, share: float, *, spread: float = 3.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of records and whether each is a virus; the share is exact.

    With the mean ± spread²/2 and the deviation spread the ratio of both densities at x is exp(x).
    """
    virus = np.arange(records) < round(share * records)
    middle = spread**2 / 2
    return np.random.default_rng(seed).normal(np.where(virus, middle, -middle), spread), virus


def counts_of(log_odds: np.ndarray) -> Integers:
    return np.bincount(bins_of(log_odds), minlength=BINS)

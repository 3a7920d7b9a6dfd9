"""Metrics of the scores of records: over all of them and by length. A record without a score ranks below all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

LENGTH_BINS = (0, 500, 1_000, 3_000, 10_000)
"""Bases; the last is open."""

CALIBRATION_BINS = 10
FALSE_POSITIVE_RATES = (0.01, 0.05)
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of `records` records, `viruses` of them viruses, `scored` of them with a score.

    They are 0 to 1, or NaN with one class only. A record without a score counts as called other, and ranks below all
    that have one. `auroc`, `auprc` (average precision); `f1`, `precision`, `recall` and `false_positive_rate` of calls
    at 0.5; `recall_at_1_percent` and `recall_at_5_percent` of false positives; `calibration_error` (expected, Naeini
    et al. 2015) of the scored records: the mean over ten bins of the score of |mean score - share of viruses|, by
    records.
    """

    records: int
    viruses: int
    scored: int
    auroc: float
    auprc: float
    f1: float
    precision: float
    recall: float
    false_positive_rate: float
    recall_at_1_percent: float
    recall_at_5_percent: float
    calibration_error: float

    @classmethod
    def of(cls, scores: NDArray[np.float64], virus: NDArray[np.bool_]) -> Metrics:
        """From scores (n,), 0 to 1 or NaN for a record without one, and labels (n,)."""
        from sklearn.metrics import average_precision_score, roc_auc_score

        both = 0 < virus.sum() < len(virus)
        ranked = ranking(scores)
        scored = ~np.isnan(scores)
        called = ranked >= THRESHOLD
        hits = int((called & virus).sum())
        precision = hits / called.sum() if called.any() else np.nan
        recall = hits / virus.sum() if virus.any() else np.nan
        return cls(
            records=len(virus),
            viruses=int(virus.sum()),
            scored=int(scored.sum()),
            auroc=float(roc_auc_score(virus, ranked)) if both else np.nan,
            auprc=float(average_precision_score(virus, ranked)) if both else np.nan,
            f1=float(2 * hits / (called.sum() + virus.sum())) if virus.any() else np.nan,
            precision=float(precision),
            recall=float(recall),
            false_positive_rate=float(called[~virus].mean()) if not virus.all() else np.nan,
            recall_at_1_percent=recall_at(ranked, virus, FALSE_POSITIVE_RATES[0]) if both else np.nan,
            recall_at_5_percent=recall_at(ranked, virus, FALSE_POSITIVE_RATES[1]) if both else np.nan,
            calibration_error=calibration_error(scores[scored], virus[scored]) if scored.any() else np.nan,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values; None where there is no number."""
        return {
            name: value if isinstance(value, int) else None if np.isnan(value) else round(value, 4)
            for name, value in asdict(self).items()
        }


def ranking(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """`scores` (n,) with a number below all of them, and below 0, in the place of each NaN."""
    below = min(0.0, float(np.nanmin(scores, initial=0.0))) - 1
    return np.where(np.isnan(scores), below, scores)


def recall_at(scores: NDArray[np.float64], virus: NDArray[np.bool_], rate: float) -> float:
    """The largest share of viruses found while at most `rate` of the others are taken for some."""
    from sklearn.metrics import roc_curve

    false_positives, recalls, _ = roc_curve(virus, scores, drop_intermediate=False)
    return float(recalls[false_positives <= rate].max())


def calibration_error(scores: NDArray[np.float64], virus: NDArray[np.bool_]) -> float:
    """Expected calibration error over bins of equal width."""
    bins = calibration_bins(scores)
    error = 0.0
    for number in range(CALIBRATION_BINS):
        inside = bins == number
        if inside.any():
            error += inside.mean() * abs(scores[inside].mean() - virus[inside].mean())
    return float(error)


def calibration_bins(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of the tenth of the scale that each score (n,), 0 to 1, is in."""
    return np.minimum((scores * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)


def length_classes(lengths: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the name of each of LENGTH_BINS that has records, and which of them (n,) are in it."""
    edges = [*LENGTH_BINS, np.iinfo(np.int64).max]
    for low, high in pairwise(edges):
        inside = (lengths >= low) & (lengths < high)
        if inside.any():
            yield f"{low} to {high - 1}" if high != edges[-1] else f"{low} and more", inside


def by_length(
    scores: NDArray[np.float64], virus: NDArray[np.bool_], lengths: NDArray[np.int64]
) -> dict[str, dict[str, Any]]:
    """Metrics of the records of each of LENGTH_BINS that has any."""
    return {name: Metrics.of(scores[inside], virus[inside]).as_dict() for name, inside in length_classes(lengths)}

"""Scores from which on records may be called virus, for a stated rate of false positives or of false discoveries."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.metrics import FALSE_POSITIVE_RATES, THRESHOLD, ranking

FALSE_DISCOVERY_RATES = (0.05, 0.10)
DEFAULT_PREVALENCE = 0.05
"""Share of viruses among the records of a metagenome for which rates of false discoveries are said."""


def cutoffs(scores: NDArray[np.float64], virus: NDArray[np.bool_], *, prevalence: float) -> dict[str, dict[str, Any]]:
    """The operating points of scores (n,), NaN for a record without one, of both classes, by name.

    Each has the lowest `score` with which calls (at least that score) keep the rate, and of these calls the `recall`,
    the `false_positive_rate`, the number `others_called`, and the `false_discovery_rate` where a share `prevalence` of
    the records are viruses; a score is None if no cutoff keeps the rate. The last is what calls at 0.5 give.
    """
    points = _Points(scores, virus, prevalence)
    found = {}
    for rate in FALSE_POSITIVE_RATES:
        found[f"{rate:.0%} false positives"] = points.lowest(points.false_positives <= rate)
    for rate in FALSE_DISCOVERY_RATES:
        found[f"{rate:.0%} false discoveries"] = points.lowest(points.false_discoveries <= rate)
    return found | {f"score {THRESHOLD}": points.lowest(points.scores >= THRESHOLD) | {"score": THRESHOLD}}


def recall_at_false_discoveries(
    scores: NDArray[np.float64], virus: NDArray[np.bool_], *, rate: float, prevalence: float
) -> float:
    """The largest recall of calls of which at most `rate` are false at that prevalence; 0 if no cutoff keeps it."""
    points = _Points(scores, virus, prevalence)
    return float(points.recalls[points.false_discoveries <= rate].max(initial=0.0))


def false_discovery_rate(recall: Any, false_positive_rate: Any, prevalence: float) -> Any:
    """The share of calls that is false where a share `prevalence` of the records are viruses; NaN without calls."""
    false = false_positive_rate * (1 - prevalence)
    with np.errstate(invalid="ignore"):
        return false / (false + recall * prevalence)


class _Points:
    """All cutoffs at the scores of records, from the highest on, and what calls at each give."""

    def __init__(self, scores: NDArray[np.float64], virus: NDArray[np.bool_], prevalence: float) -> None:
        from sklearn.metrics import roc_curve

        ranked = ranking(scores)
        self.false_positives, self.recalls, self.scores = roc_curve(virus, ranked, drop_intermediate=False)
        # The first is above all scores, the last may be that of records without one: nobody can call at these.
        usable = np.isfinite(self.scores) & (self.scores >= np.nanmin(scores, initial=np.inf))
        self.false_positives, self.recalls, self.scores = (
            values[usable] for values in (self.false_positives, self.recalls, self.scores)
        )
        self.false_discoveries = false_discovery_rate(self.recalls, self.false_positives, prevalence)
        self._others = int((~virus).sum())

    def lowest(self, kept: NDArray[np.bool_]) -> dict[str, Any]:
        """The operating point at the lowest score among the `kept` ones."""
        if not kept.any():
            values = dict.fromkeys(("score", "recall", "false_positive_rate", "others_called", "false_discovery_rate"))
            return values | {"recall": 0.0, "false_positive_rate": 0.0, "others_called": 0}
        at = int(np.flatnonzero(kept)[-1])
        rate = float(self.false_discoveries[at])
        return {
            "score": float(self.scores[at]),
            "recall": round(float(self.recalls[at]), 4),
            "false_positive_rate": round(float(self.false_positives[at]), 4),
            "others_called": round(float(self.false_positives[at]) * self._others),
            "false_discovery_rate": None if np.isnan(rate) else round(rate, 4),
        }

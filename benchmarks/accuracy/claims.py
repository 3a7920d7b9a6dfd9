"""Claimed rates of false discoveries against true ones, in made-up jobs with few or many viruses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.classifier.class_prior import ClassPrior, estimated_prior, given_prior
from virnucpro_tasks.classifier.false_discoveries import false_discoveries
from virnucpro_tasks.classifier.log_odds_bins import BINS, bins_of

Floats = NDArray[np.float64]
Estimate = Callable[[Floats, float], Floats | None]
"""From the scores (m,) of a job, all numbers, and the true share of viruses among them, which it may use or not, the
rate of false discoveries at each score; None if that is refused.
"""

PREVALENCES = (0.01, 0.05, 0.5)
LEVEL = 0.10
DRAWS = 50
_LAST_DIGIT = 1e-6
OWN = "the tool's own"
"""Name of the rate that a tool tells with its scores."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claimed rate turned out to be over `draws` jobs of `records` contigs, of which `refused` gave no rate.

    `true_rate` is the share of false ones among all contigs selected, None if none was; `recall` is the share of all
    viruses that are selected, unscored ones included; both over the jobs that were not refused.
    """

    prevalence: float
    records: int
    draws: int
    refused: int
    selected: float
    true_rate: float | None
    recall: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values; `claimed` is LEVEL."""
        return {
            "claimed": LEVEL,
            "prevalence": self.prevalence,
            "records": self.records,
            "draws": self.draws,
            "refused": self.refused,
            "selected_a_draw": round(self.selected, 2),
            "true_rate": None if self.true_rate is None else round(self.true_rate, 4),
            "recall": None if self.recall is None else round(self.recall, 4),
        }


def claim(
    scores: Floats, virus: NDArray[np.bool_], *, estimate: Estimate, prevalence: float, seed: int, draws: int = DRAWS
) -> Claim:
    """Draw jobs from contigs with scores (n,), NaN without one, and select what `estimate` says is within LEVEL.

    A job is as large as the contigs allow at that prevalence, each contig in it once.
    """
    random = np.random.default_rng(seed)
    viruses, others = np.flatnonzero(virus), np.flatnonzero(~virus)
    records = min(len(viruses) / prevalence, len(others) / (1 - prevalence))
    of_viruses, of_others = round(records * prevalence), round(records * (1 - prevalence))
    refused = found = selected = wanted = 0
    for _ in range(draws):
        job = np.concatenate(
            [random.choice(viruses, of_viruses, replace=False), random.choice(others, of_others, replace=False)]
        )
        job = job[~np.isnan(scores[job])]
        rates = estimate(scores[job], float(virus[job].mean()) if len(job) else 0.0)
        if rates is None:
            refused += 1
            continue
        chosen = virus[job[rates <= LEVEL]]
        selected += len(chosen)
        found += int(chosen.sum())
        wanted += of_viruses
    kept = draws - refused
    return Claim(
        prevalence=prevalence,
        records=of_viruses + of_others,
        draws=draws,
        refused=refused,
        selected=selected / kept if kept else 0.0,
        true_rate=1 - found / selected if selected else None,
        recall=found / wanted if wanted else None,
    )


def own_claim(fdr: Floats, virus: NDArray[np.bool_]) -> Claim:
    """What the tool's own rates (n,), NaN where it tells none, turned out to be in the one job that there is."""
    chosen = virus[np.nan_to_num(fdr, nan=np.inf) <= LEVEL]
    return Claim(
        prevalence=round(float(virus.mean()), 4),
        records=len(virus),
        draws=1,
        refused=0,
        selected=len(chosen),
        true_rate=float(1 - chosen.mean()) if len(chosen) else None,
        recall=float(chosen.sum() / virus.sum()) if virus.any() else None,
    )


def scores_as_probabilities(scores: Floats, share: float = 0.5) -> Floats:
    """The running mean of 1 - score over the ranking, equal scores together: what is true if viruses are half.

    The `share` is not used.
    """
    different, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    false = np.cumsum(((1 - different) * counts)[::-1]) / np.cumsum(counts[::-1])
    return false[::-1][places]


def estimated_share(scores: Floats, share: float = 0.5) -> Floats | None:
    """The rates that `virnucpro predict` gives, for the share of viruses that it estimates; `share` is not used."""
    counts = _counts(scores)
    return _rates(scores, counts, estimated_prior(counts))


def stated_share(scores: Floats, share: float) -> Floats | None:
    """The rates that `virnucpro predict --prior` gives for the true `share`; None without a virus among the scored."""
    counts = _counts(scores)
    return _rates(scores, counts, given_prior(counts, share)) if 0 < share < 1 else None


def _counts(scores: Floats) -> NDArray[np.int64]:
    return np.bincount(bins_of(_log_odds(scores)), minlength=BINS)


def _rates(scores: Floats, counts: NDArray[np.int64], prior: ClassPrior) -> Floats | None:
    found = false_discoveries(counts, prior)
    return found.of(_log_odds(scores)) if found.are_there else None


def _log_odds(scores: Floats) -> Floats:
    """Log-odds of scores, which tables round to six digits: 0 and 1 are as far as half of the last digit tells."""
    kept = np.clip(scores, _LAST_DIGIT / 2, 1 - _LAST_DIGIT / 2)
    return np.log(kept) - np.log1p(-kept)


ESTIMATES: Mapping[str, Estimate] = {
    "estimated share": estimated_share,
    "true share stated": stated_share,
    "scores as probabilities": scores_as_probabilities,
}
"""Ways to a rate from the scores of a job, by name."""

"""Claimed rates of false discoveries against true ones, in made-up jobs with few or many viruses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Estimate = Callable[[Floats], Floats | None]
"""From the scores (m,) of a job, all numbers, the rate of false discoveries at each; None if that is refused."""

PREVALENCES = (0.01, 0.05, 0.5)
LEVEL = 0.10
DRAWS = 50
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
        rates = estimate(scores[job])
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


def scores_as_probabilities(scores: Floats) -> Floats:
    """The running mean of 1 - score over the ranking, equal scores together: what is true if viruses are half."""
    different, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    false = np.cumsum(((1 - different) * counts)[::-1]) / np.cumsum(counts[::-1])
    return false[::-1][places]


ESTIMATES: Mapping[str, Estimate] = {"scores as probabilities": scores_as_probabilities}
"""Ways to a rate from the scores of a job alone, by name."""

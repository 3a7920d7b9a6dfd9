"""The share of viruses among the records of a job, estimated from their scores.

Scores are probabilities where both classes are equally frequent. Where they are not, the share follows from the scores
themselves by expectation-maximisation (Saerens, Latinne and Decaestecker 2002): each record counts as a virus with the
probability that it has at the present share, and their mean is the next share, until it stays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from virnucpro_tasks.classifier.log_odds_bins import Integers, bin_odds

LEAST_RECORDS = 200
"""Records with a score, with fewer of which no share is estimated."""

MOST_STEPS = 20_000
SMALLEST_STEP = 1e-10
"""The estimate stands when a step changes it by less than this."""

LEAST_OF_A_CLASS = 5.0
"""Expected records of a class, with fewer of which the estimate is at the end of its range, 0 or 1."""

MOST_RELATIVE_ERROR = 0.25
"""The standard error by the share of the rarer class, above which the scores do not tell the share well enough: with
twice this error a false-discovery rate of 10 % is told as 7 to 18 %.
"""

DIGITS = 6
"""Significant digits of a share. It is used as it is told, so that `--prior` with this value gives the same rates."""


@dataclass(frozen=True, slots=True)
class ClassPrior:
    """The share of viruses among `records` scored records, and its standard error (0 for a share that was given).

    `refusal` tells why there is none; the share is then NaN.
    """

    records: int
    share: float
    standard_error: float = 0.0
    is_given: bool = False
    refusal: str = ""


def given_prior(counts: Integers, share: float) -> ClassPrior:
    """The share that a user states. `counts` (BINS,) are of records by the bin of their log-odds."""
    return ClassPrior(int(counts.sum()), share, is_given=True)


def estimated_prior(counts: Integers) -> ClassPrior:
    """The share that is most probable by the scores of a job, or why there is none.

    `counts` (BINS,) are of records by the bin of their log-odds.
    """
    records = int(counts.sum())
    if records < LEAST_RECORDS:
        have = "1 record has" if records == 1 else f"{records:,} records have"
        return ClassPrior(records, math.nan, refusal=f"{have} a score; at least {LEAST_RECORDS} are needed")
    filled = np.flatnonzero(counts)
    odds, numbers = bin_odds()[filled], counts[filled].astype(np.float64)
    share = 0.5
    for _ in range(MOST_STEPS):
        before, likely = share, share * odds
        share = float((numbers * (likely / (likely + (1 - share)))).sum() / records)
        if abs(share - before) < SMALLEST_STEP:
            break
    else:
        return ClassPrior(records, math.nan, refusal=f"the estimate did not converge in {MOST_STEPS:,} steps")
    # The curvature of the logarithm of the likelihood at its maximum.
    curvature = float((numbers * ((odds - 1) / (share * odds + (1 - share))) ** 2).sum())
    error = 1 / math.sqrt(curvature) if curvature > 0 else math.inf
    unclear = f"the scores do not tell the share of viruses: {share:.2g}, with a standard error of {error:.2g}"
    if error > MOST_RELATIVE_ERROR / 2:
        return ClassPrior(records, math.nan, refusal=unclear)
    for expected, name in ((share * records, "virus"), ((1 - share) * records, "other record")):
        if expected < LEAST_OF_A_CLASS:
            return ClassPrior(
                records, math.nan, refusal=f"by their scores the records hold hardly any {name} ({expected:.1f})"
            )
    if error > MOST_RELATIVE_ERROR * min(share, 1 - share):
        return ClassPrior(records, math.nan, refusal=unclear)
    return ClassPrior(records, float(f"{share:.{DIGITS}g}"), float(f"{error:.2g}"))

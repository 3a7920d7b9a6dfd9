"""False-discovery rates: how many of the records that rank as high as one, or higher, are no viruses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from virnucpro_tasks.classifier.class_prior import ClassPrior
from virnucpro_tasks.classifier.log_odds import probability
from virnucpro_tasks.classifier.log_odds_bins import Floats, Integers, bin_log_odds, bin_odds, bins_of


@dataclass(frozen=True, slots=True, eq=False)
class FalseDiscoveries:
    """The rates of a job by the bins of log-odds, float64 (BINS,), for the share of viruses `prior`.

    Without rates `refusal` tells why there are none.
    """

    prior: ClassPrior | None = None
    rates: Floats | None = None
    refusal: str = ""

    @property
    def are_there(self) -> bool:
        return self.rates is not None

    def of(self, log_odds: Floats) -> Floats:
        """The rate of each record by its log-odds (n,); NaN where there are none."""
        return np.full(len(log_odds), np.nan) if self.rates is None else self.rates[bins_of(log_odds)]

    def score_at(self, rate: float) -> float | None:
        """The least P(virus) of records up to this rate; None if no record has it."""
        if self.rates is None or not (within := np.flatnonzero(self.rates <= rate)).size:
            return None
        return probability(bin_log_odds()[int(within[0])])


NO_RATES = FalseDiscoveries(refusal="they were not asked for")


def false_discoveries(counts: Integers, prior: ClassPrior) -> FalseDiscoveries:
    """The rates of a job whose records are in bins of log-odds as `counts` (BINS,) says.

    The rate of a record is the mean of 1 - P(virus) over all records in its bin or a higher one, where P is that of the
    share of viruses that `prior` has (posterior odds = odds · share / (1 - share)). It never falls with falling score.
    """
    if prior.refusal:
        return FalseDiscoveries(prior, refusal=prior.refusal)
    likely = prior.share * bin_odds()
    wrong = (1 - prior.share) / (likely + (1 - prior.share))
    # From the highest bin down; where no record ranks as high, the rate is that of the bin alone.
    numbers = np.cumsum(counts[::-1]).astype(np.float64)
    sums = np.cumsum((counts * wrong)[::-1])
    rates = np.divide(sums, numbers, out=wrong[::-1].copy(), where=numbers > 0)[::-1]
    return FalseDiscoveries(prior, rates)

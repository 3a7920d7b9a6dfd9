"""Calls of contigs as the Broad Institute's pipeline derives them from the highest scores of their chunks.

For each scored chunk, d is its highest P(virus) less its highest P(others). A contig is called by the mean of d with
the weights √|d|; how far the call can be trusted, its tier, follows from the chunks that are confident by themselves.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from virnucpro_tasks.classifier.exact_sums import ExactSums

CONFIDENT_ABOVE, OPPOSING_BELOW = 0.8, 0.3
"""A chunk is confident if one of its scores is above the first of these and the other one below the second."""

AMBIGUOUS_ABOVE = 0.7
"""A chunk is ambiguous if both scores are above this."""

CALLED_BEYOND, HIGH_BEYOND = 0.3, 0.6
"""Weighted deltas beyond which, on either side, a contig is called, and with high confidence."""

LEAST_PROPORTION = 0.1
"""Share of confident chunks, of those not ambiguous, that a confident call needs."""

LEAST_CHUNKS = 5
"""Scored chunks with fewer of which a contig falls by one tier."""

ROUNDING = 1_000
"""Weighted deltas and proportions are told as multiples of one part in so many."""


class Call(StrEnum):
    """Side that a contig is called for."""

    VIRAL = "Viral"
    NON_VIRAL = "Non-viral"
    AMBIGUOUS = "Ambiguous"


class Tier(StrEnum):
    """How far a call can be trusted."""

    HIGH = "high_confidence"
    MODERATE = "moderate_confidence"
    LOW = "low_confidence"
    REVIEW = "review"


CALLS, TIERS = tuple(Call), tuple(Tier)
_VIRAL, _NON_VIRAL, _AMBIGUOUS = map(CALLS.index, (Call.VIRAL, Call.NON_VIRAL, Call.AMBIGUOUS))

_NEAR_HALF = 1e-6
"""Distance from the middle between two thousandths within which only exact arithmetic can tell the nearer one."""


@dataclass(frozen=True, slots=True, eq=False)
class ContigEvidence:
    """Evidence of n contigs, column by column: numbers of scored chunks, (n,) int64 each, and the exact sums of both
    terms over them: `weighted_deltas` of d·√|d|, `weights` of √|d|.
    """

    chunks: npt.NDArray[np.int64]
    confident_viral: npt.NDArray[np.int64]
    confident_nonviral: npt.NDArray[np.int64]
    ambiguous: npt.NDArray[np.int64]
    weighted_deltas: ExactSums
    weights: ExactSums

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, places: slice) -> ContigEvidence:
        return ContigEvidence(*(column[places] for column in self._columns))

    def __add__(self, other: ContigEvidence) -> ContigEvidence:
        """The evidence of two parts of each contig together."""
        return ContigEvidence(*map(operator.add, self._columns, other._columns))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ContigEvidence):
            return NotImplemented
        return (
            all(map(np.array_equal, self._columns[:4], other._columns[:4])) and self._columns[4:] == other._columns[4:]
        )

    @property
    def _columns(self) -> tuple[Any, ...]:
        return tuple(getattr(self, column.name) for column in fields(self))


@dataclass(frozen=True, slots=True)
class ContigCalls:
    """The calls of n contigs and what they rest on, column by column, (n,) int64 each.

    `calls` and `tiers` are places in CALLS and TIERS; deltas and proportions are rounded to units of 1 / ROUNDING.
    """

    calls: npt.NDArray[np.int64]
    tiers: npt.NDArray[np.int64]
    weighted_deltas: npt.NDArray[np.int64]
    viral_proportions: npt.NDArray[np.int64]
    nonviral_proportions: npt.NDArray[np.int64]


def contig_evidence(
    others: npt.NDArray[np.float64], virus: npt.NDArray[np.float64], firsts: npt.NDArray[np.intp]
) -> ContigEvidence:
    """Evidence of contigs from the highest P(others) and P(virus) of their scored chunks, (m,) each.

    The chunks of a contig, at least one, begin at its place in `firsts` (n,).
    """
    deltas = virus - others
    weights = np.sqrt(np.abs(deltas))
    confident_viral, confident_nonviral, ambiguous = (
        np.add.reduceat(mask.astype(np.int64), firsts) for mask in _masks(others, virus)
    )
    return ContigEvidence(
        np.diff(firsts, append=len(deltas)),
        confident_viral,
        confident_nonviral,
        ambiguous,
        ExactSums.of(deltas * weights, firsts),
        ExactSums.of(weights, firsts),
    )


def _masks(others: npt.NDArray[np.float64], virus: npt.NDArray[np.float64]) -> Iterator[npt.NDArray[np.bool_]]:
    """Masks of the chunks that are confident viral, confident non-viral, and ambiguous."""
    yield (virus > CONFIDENT_ABOVE) & (others < OPPOSING_BELOW)
    yield (others > CONFIDENT_ABOVE) & (virus < OPPOSING_BELOW)
    yield (virus > AMBIGUOUS_ABOVE) & (others > AMBIGUOUS_ABOVE)


def contig_calls(evidence: ContigEvidence) -> ContigCalls:
    """Call contigs, each with at least one scored chunk."""
    chunks, ambiguous = evidence.chunks, evidence.ambiguous
    # Without a weight all deltas are 0, and so is their mean.
    deltas = _quotients(evidence.weighted_deltas.nearest, evidence.weights.nearest)
    # Without a chunk that is not ambiguous none is confident.
    viral, nonviral = (
        _quotients(number, chunks - ambiguous) for number in (evidence.confident_viral, evidence.confident_nonviral)
    )
    is_called = np.abs(deltas) > CALLED_BEYOND
    is_viral = deltas > 0
    lacks_proportion, is_short = np.where(is_viral, viral, nonviral) < LEAST_PROPORTION, chunks < LEAST_CHUNKS
    tiers = np.select(
        [~is_called | (lacks_proportion & is_short), lacks_proportion | is_short, np.abs(deltas) > HIGH_BEYOND],
        [TIERS.index(tier) for tier in (Tier.REVIEW, Tier.LOW, Tier.HIGH)],
        TIERS.index(Tier.MODERATE),
    )
    return ContigCalls(
        calls=np.where(is_called, np.where(is_viral, _VIRAL, _NON_VIRAL), _AMBIGUOUS),
        tiers=tiers,
        # A delta is rounded as NumPy does it, a proportion as Python: the pipeline has them as numbers of these.
        weighted_deltas=np.rint(deltas * ROUNDING).astype(np.int64),
        viral_proportions=_rounded(viral),
        nonviral_proportions=_rounded(nonviral),
    )


def _quotients(numbers: npt.NDArray[Any], others: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Each number by the other one; 0 by nothing."""
    return np.divide(numbers, others, out=np.zeros(len(numbers)), where=others > 0)


def _rounded(proportions: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Proportions in units of 1 / ROUNDING, rounded as `round` does it with three decimals."""
    scaled = proportions * ROUNDING
    rounded = np.rint(scaled).astype(np.int64)
    for place in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < _NEAR_HALF).tolist():
        rounded[place] = round(round(float(proportions[place]), 3) * ROUNDING)
    return rounded

"""Calls of contigs as the Broad Institute's pipeline derives them from the highest scores of their chunks.

For each scored chunk, d is its highest P(virus) less its highest P(others). A contig is called by the mean of d with
the weights √|d|; how far the call can be trusted, its tier, follows from the chunks that are confident by themselves.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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


@dataclass(frozen=True, slots=True)
class ChunkEvidence:
    """Evidence of n scored chunks, (n,) each: `weights` are √|d|, `weighted_deltas` d·√|d|, both float64."""

    is_confident_viral: npt.NDArray[np.bool_]
    is_confident_nonviral: npt.NDArray[np.bool_]
    is_ambiguous: npt.NDArray[np.bool_]
    weighted_deltas: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]


class ContigEvidence(NamedTuple):
    """Numbers of scored chunks of a contig, and the exact sums of both terms over them, in one unit."""

    chunks: int
    confident_viral: int
    confident_nonviral: int
    ambiguous: int
    weighted_deltas: int
    weights: int


class ContigCall(NamedTuple):
    """The call of a contig and what it rests on; `weighted_delta` and the proportions are rounded."""

    call: Call
    tier: Tier
    weighted_delta: float
    viral_proportion: float
    nonviral_proportion: float


def chunk_evidence(others: npt.NDArray[np.float64], virus: npt.NDArray[np.float64]) -> ChunkEvidence:
    """Evidence of chunks from their highest P(others) and P(virus), (n,) each."""
    deltas = virus - others
    weights = np.sqrt(np.abs(deltas))
    return ChunkEvidence(
        is_confident_viral=(virus > CONFIDENT_ABOVE) & (others < OPPOSING_BELOW),
        is_confident_nonviral=(others > CONFIDENT_ABOVE) & (virus < OPPOSING_BELOW),
        is_ambiguous=(virus > AMBIGUOUS_ABOVE) & (others > AMBIGUOUS_ABOVE),
        weighted_deltas=deltas * weights,
        weights=weights,
    )


def joined_evidence(one: ContigEvidence, other: ContigEvidence) -> ContigEvidence:
    """Evidence of two parts of a contig together."""
    return ContigEvidence(*map(operator.add, one, other))


def contig_call(evidence: ContigEvidence) -> ContigCall:
    """Call a contig with at least one scored chunk."""
    chunks, confident_viral, confident_nonviral, ambiguous, weighted_deltas, weights = evidence
    # Without a weight all deltas are 0, and so is their mean.
    delta = float(weighted_deltas) / float(weights) if weights else 0.0
    # Without a chunk that is not ambiguous none is confident.
    viral = confident_viral / (chunks - ambiguous) if confident_viral else 0.0
    nonviral = confident_nonviral / (chunks - ambiguous) if confident_nonviral else 0.0
    if delta > CALLED_BEYOND:
        call, tier = Call.VIRAL, _tier(delta, viral, chunks)
    elif delta < -CALLED_BEYOND:
        call, tier = Call.NON_VIRAL, _tier(-delta, nonviral, chunks)
    else:
        call, tier = Call.AMBIGUOUS, Tier.REVIEW
    # A delta is rounded as NumPy does it, a proportion as Python: the pipeline has them as numbers of these.
    return ContigCall(call, tier, round(delta * ROUNDING) / ROUNDING, round(viral, 3), round(nonviral, 3))


def _tier(delta: float, proportion: float, chunks: int) -> Tier:
    """The tier of a call by the size of its delta and the proportion of chunks that are confident of it."""
    is_short = chunks < LEAST_CHUNKS
    if proportion < LEAST_PROPORTION:
        return Tier.REVIEW if is_short else Tier.LOW
    if is_short:
        return Tier.LOW
    return Tier.HIGH if delta > HIGH_BEYOND else Tier.MODERATE

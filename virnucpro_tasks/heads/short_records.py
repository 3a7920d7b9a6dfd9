"""The part of a head for short records, which takes their nucleotide vectors alone.

It is fitted like the head itself, to the short records of the same parts. Then a slope and an intercept of its log-odds
are fitted so that the score of a record, whose rule stays as it is for all others, is calibrated for short ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.errors import InputError, counted
from virnucpro_tasks.heads.calibration import DEVIATION, sigmoid
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.labels import CALIBRATE, TEST, TRAIN, VALIDATION
from virnucpro_tasks.heads.metrics import Metrics
from virnucpro_tasks.heads.record_calibration import cut_off
from virnucpro_tasks.heads.segment_calibration import CoveredRecords, covered_records
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.weights import group_weights
from virnucpro_tasks.models.sizes import FittedRecordScore

LEAST_GROUPS = 4
"""Groups of each class with short records, with fewer of which in a part no head is fitted to them."""

Parts = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class ShortExamples:
    """Records of fewer bases than `below` that have open frames, with the nucleotide vectors of these alone."""

    below: int
    train: Examples
    validation: Examples


@dataclass(frozen=True, slots=True, eq=False)
class ShortPart:
    """The part `head` for records of fewer bases than `below`.

    `comparison` has, for the parts of the records that tell, the figures of their short records by nucleotides alone
    and by both vectors, as the head without this part scores them.
    """

    below: int
    head: HeadTensors
    comparison: dict[str, dict[str, Metrics]]

    def are_of(self, examples: Examples) -> NDArray[np.bool_]:
        """Whether each frame of `examples` (n,) is of a short record."""
        return (examples.lengths < self.below)[examples.record]


def short_examples(examples: Examples, parts: Parts, *, below: int) -> ShortExamples:
    """The short records to fit to. Raises InputError if a part lacks them."""
    found = {part: _short(examples, parts[part], below) for part in (TRAIN, VALIDATION, CALIBRATE, TEST)}
    for part, some in found.items():
        of_class = np.array(some.groups), some.virus
        for virus, name in ((True, "viruses"), (False, "others")):
            groups = len(np.unique(of_class[0][of_class[1] == virus]))
            if groups < LEAST_GROUPS:
                raise InputError(
                    f"the part {part!r} has records shorter than {below} bases, with an open frame, of "
                    f"{counted(groups, 'group')} of {name}, and at least {LEAST_GROUPS} are needed",
                    file="the labelled records",
                    hint="give more short records, cut from genomes for example, or leave out --nucleotides-below",
                )
    return ShortExamples(below, *(_nucleotides_alone(found[part]) for part in (TRAIN, VALIDATION)))


def calibrate_short(
    fitted: HeadTensors,
    examples: Examples,
    parts: Parts,
    rule: FittedRecordScore,
    by_both: CoveredRecords,
    below: int,
) -> ShortPart:
    """The part `fitted` with the slope and intercept that are most probable by the short records to calibrate on.

    `rule` gives the score of a record, of segments too if it has values for them; `by_both` are all records by both
    vectors. Weights of classes and groups, and the prior, are those of `calibrate`.
    """
    from scipy.optimize import minimize

    log_odds = fitted.log_odds(examples.nucleotide)

    def scored(slope: float, intercept: float, records: NDArray[np.int64]) -> NDArray[np.float64]:
        moved = covered_records(examples, cut_off(slope * log_odds + intercept))
        return moved.of(records).log_odds(rule)

    is_short = examples.lengths < below
    has_any = examples.frames + (rule.segments is not None) * examples.segments > 0
    chosen = parts[CALIBRATE][(is_short & has_any)[parts[CALIBRATE]]]
    some = by_both.of(chosen)
    weights, observations = group_weights(some.virus, some.groups)
    signs = np.where(some.virus, 1.0, -1.0)

    def loss(parameters: NDArray[np.float64]) -> float:
        found = scored(float(np.exp(parameters[0])), float(parameters[1]), chosen)
        surprise = weights @ np.logaddexp(0, -signs * found)
        return float(observations * surprise + np.square(parameters / DEVIATION).sum() / 2)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"maxiter": 500})
    slope, intercept = float(np.exp(found.x[0])), float(found.x[1])
    comparison = {}
    for part in (VALIDATION, TEST):
        short = parts[part][is_short[parts[part]]]
        virus = examples.virus[short]
        alone, both = scored(slope, intercept, short), by_both.of(short).log_odds(rule)
        comparison[part] = {
            "nucleotides": Metrics.of(sigmoid(alone), virus),
            "both_vectors": Metrics.of(sigmoid(both), virus),
        }
    return ShortPart(below, fitted.calibrated(slope, intercept), comparison)


def _short(examples: Examples, records: NDArray[np.int64], below: int) -> Examples:
    return examples.of(records[examples.lengths[records] < below]).by_frames()


def _nucleotides_alone(examples: Examples) -> Examples:
    return replace(examples, protein=examples.protein[:, :0])

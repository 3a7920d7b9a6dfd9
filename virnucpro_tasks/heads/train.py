"""From vectors of labelled records to a calibrated head and its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.heads.calibration import calibrate, sigmoid
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.labels import CALIBRATE, TRAIN, VALIDATION
from virnucpro_tasks.heads.logistic import fit_logistic
from virnucpro_tasks.heads.mlp import Epoch, fit_mlp
from virnucpro_tasks.heads.record_calibration import cut_off, fit_record_score
from virnucpro_tasks.heads.segment_calibration import covered_records, fit_covered
from virnucpro_tasks.heads.short_records import ShortPart, calibrate_short, short_examples
from virnucpro_tasks.heads.splits import split_records
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.weights import group_weights
from virnucpro_tasks.models.sizes import FittedRecordScore


class HeadKind(StrEnum):
    """Kinds of head that can be fitted, all stored in the tensors of the published one."""

    MLP = "mlp"
    LOGISTIC = "logistic"


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A calibrated head, the parts of the records it was made with, and the scores of each record.

    `means` are mean P(virus) over its frames, `scores` P(virus) of the record by these alone, both NaN without any.
    `covered_scores` are P(virus) by segments too, NaN for a record that has no score then either; None of a head that
    was not fitted to segments. `short` is the part for short records, by which all these are then scored.
    """

    head: HeadTensors
    record_score: FittedRecordScore
    parts: dict[str, NDArray[np.int64]]
    means: NDArray[np.float64]
    scores: NDArray[np.float64]
    covered_scores: NDArray[np.float64] | None = None
    short: ShortPart | None = None


def fit_head(
    examples: Examples,
    *,
    kind: HeadKind,
    hidden: int,
    seed: int,
    has_segments: bool = False,
    nucleotides_below: int | None = None,
    say: Callable[[Epoch], None] = lambda _: None,
) -> Fitted:
    """Fit on the training part, choose by the validation part, calibrate on a third; the test part is not used.

    The head is fitted to open frames alone, `has_segments` says whether its score of records is also to be fitted to
    segments. With `nucleotides_below` it gets a part for records of fewer bases, which changes nothing for all others.
    Raises InputError if there are too few groups, or no segments or short records where they are to be fitted to.
    """
    parts = split_records(examples.labels, seed=seed)
    train, validation, calibration = (_with_frames(examples, parts, part) for part in (TRAIN, VALIDATION, CALIBRATE))

    def fit(train: Examples, validation: Examples) -> HeadTensors:
        match kind:
            case HeadKind.MLP:
                return fit_mlp(train, validation, hidden=hidden, seed=seed, say=say)
            case HeadKind.LOGISTIC:
                return fit_logistic(train, validation)
        assert_never(kind)

    # Looked for before anything is fitted: a long fit must not end with what could be told at once.
    short = None if nucleotides_below is None else short_examples(examples, parts, below=nucleotides_below)
    head = calibrate(fit(train, validation), calibration)
    log_odds = head.log_odds(examples.joined)
    records = covered_records(examples, cut_off(log_odds))
    some = records.of(parts[CALIBRATE])
    with_frames = np.flatnonzero(some.frames)
    weights, observations = group_weights(some.virus, some.groups)
    fitted = fit_record_score(
        some.totals[with_frames] / some.frames[with_frames],
        some.frames[with_frames],
        some.virus[with_frames],
        [some.groups[record] for record in with_frames.tolist()],
        weighted=(weights[with_frames], observations),
    )
    by_frames, part = fitted, None
    if has_segments:
        fitted = fit_covered(fitted, some)
    if short is not None:
        part = calibrate_short(fit(short.train, short.validation), examples, parts, fitted, records, short.below)
        log_odds = np.where(part.are_of(examples), part.head.log_odds(examples.nucleotide), log_odds)
        records = covered_records(examples, cut_off(log_odds))
    means, scores = examples.means(sigmoid(log_odds)), sigmoid(records.log_odds(by_frames))
    covered = sigmoid(records.log_odds(fitted)) if has_segments else None
    return Fitted(head, fitted, parts, means, scores, covered, part)


def _with_frames(examples: Examples, parts: Mapping[str, NDArray[np.int64]], part: str) -> Examples:
    """The records of a part with open frames, with these alone. Raises InputError unless both classes have some."""
    found = examples.of(parts[part]).by_frames()
    if len(np.unique(found.virus)) < 2:
        raise InputError(
            f"the part {part!r} does not have records of both classes with an open frame",
            file="the labelled records",
            hint="give more records, or another --seed",
        )
    return found

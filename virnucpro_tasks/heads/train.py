"""From vectors of labelled records to a calibrated head and its card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.classifier.record_score import RecordScore
from virnucpro_tasks.heads.calibration import calibrate, sigmoid
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.labels import CALIBRATE, TRAIN, VALIDATION
from virnucpro_tasks.heads.logistic import fit_logistic
from virnucpro_tasks.heads.mlp import Epoch, fit_mlp
from virnucpro_tasks.heads.record_calibration import cut_off, fit_record_score
from virnucpro_tasks.heads.splits import split_records
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.models.sizes import FittedRecordScore


class HeadKind(StrEnum):
    """Kinds of head that can be fitted; both are stored in the tensors of the published one."""

    MLP = "mlp"
    LOGISTIC = "logistic"


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A calibrated head, the parts of the records it was made with, and the scores of each record.

    `means` are mean P(virus) over its frames, `scores` P(virus) of the record by `record_score`.
    """

    head: HeadTensors
    record_score: FittedRecordScore
    parts: dict[str, NDArray[np.int64]]
    means: NDArray[np.float64]
    scores: NDArray[np.float64]


def fit_head(
    examples: Examples, *, kind: HeadKind, hidden: int, seed: int, say: Callable[[Epoch], None] = lambda _: None
) -> Fitted:
    """Fit on the training part, choose by the validation part, calibrate on a third; the test part is not used.

    Raises InputError if there are too few groups.
    """
    parts = split_records(examples.labels, seed=seed)
    train, validation = examples.of(parts[TRAIN]), examples.of(parts[VALIDATION])
    if kind is HeadKind.MLP:
        head = fit_mlp(train, validation, hidden=hidden, seed=seed, say=say)
    else:
        head = fit_logistic(train, validation)
    head = calibrate(head, examples.of(parts[CALIBRATE]))
    log_odds = head.log_odds(examples.joined)
    means, frames = examples.means(cut_off(log_odds)), examples.frames
    part = parts[CALIBRATE]
    fitted = fit_record_score(
        means[part], frames[part], examples.virus[part], [examples.groups[record] for record in part]
    )
    scores = sigmoid(RecordScore(fitted).of_means(means, frames))
    return Fitted(head, fitted, parts, examples.means(sigmoid(log_odds)), scores)

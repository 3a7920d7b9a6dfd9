"""Calibration of the score of a record: of the records with a score of 0.8, about 80 % should be viruses.

A logistic regression of the label on m, m·ln n and m·ln² n, where m is the mean of the log-odds of a record's n
frames. The part that calibrates the frames' scores serves here too: neither fit sees the records that trained the head.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.classifier.log_odds import LARGEST_LOG_ODDS
from virnucpro_tasks.classifier.record_score import log_counts
from virnucpro_tasks.heads.weights import group_weights
from virnucpro_tasks.models.sizes import FittedRecordScore

PRIOR_MEANS = np.array([0.0, 1.0, 0.0, 0.0])
PRIOR_DEVIATIONS = np.array([0.5, 0.5, 0.5, 2.0])
"""Normal prior of intercept, slope, and slopes per logarithm of the number of frames and per its square: with few
groups the score stays near the mean of the log-odds, which promises less than their sum. The last was chosen among 0,
0.25, 0.5, 1, 2 and 4 on validation groups of the demonstration (docs/demonstration.md).
"""

SCALE_DEVIATION = 0.5
"""Standard deviation of the normal prior of a factor of all log-odds, around 1."""


def cut_off(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds of frames (n,), cut off as in results."""
    return np.clip(log_odds, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)


def fit_record_score(
    means: NDArray[np.float64],
    frames: NDArray[np.int64],
    virus: NDArray[np.bool_],
    groups: Sequence[str],
    *,
    weighted: tuple[NDArray[np.float64], int] | None = None,
) -> FittedRecordScore:
    """The most probable values of the score of a record, from records with at least one frame each, (n,).

    `means` are the mean log-odds of their frames, cut off by `cut_off`; `frames` how many these are. Weights are those
    of `group_weights`: scores are probabilities where viruses are as frequent as others. `weighted` are those of these
    records among others that have no frames. The loss is convex, so that there is one answer.
    """
    from scipy.optimize import minimize

    weights, observations = group_weights(virus, groups) if weighted is None else weighted
    logarithms = log_counts(frames)
    features = np.stack([np.ones(len(means)), means, means * logarithms, means * np.square(logarithms)], axis=1)
    signs = np.where(virus, 1.0, -1.0)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (features @ values)
        away = (values - PRIOR_MEANS) / PRIOR_DEVIATIONS
        surprise = np.logaddexp(0, -margins)
        slopes = -weights * signs * np.exp(-np.logaddexp(0, margins))
        return (
            float(observations * (weights @ surprise) + away @ away / 2),
            observations * (slopes @ features) + away / PRIOR_DEVIATIONS,
        )

    bounds = [(None, None), *[(0, None)] * (len(PRIOR_MEANS) - 1)]
    found = minimize(loss, PRIOR_MEANS, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 1_000})
    intercept, slope, growth, curvature = found.x.tolist()
    variance = _scale_variance(features @ found.x, observations * weights)
    return FittedRecordScore(
        intercept,
        slope,
        growth,
        slope_per_squared_log_frames=curvature,
        scale_variance=variance,
        most_frames=int(frames.max()),
    )


def _scale_variance(log_odds: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The variance of a factor of fitted `log_odds` (n,), by the curvature of the loss at the factor 1 (Laplace).

    As many observations count as in the fit, so that records of one group do not pretend to be independent.
    """
    scores = np.exp(-np.logaddexp(0, -log_odds))
    information = weights @ (scores * (1 - scores) * np.square(log_odds))
    return float(1 / (information + SCALE_DEVIATION**-2))

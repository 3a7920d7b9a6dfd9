"""Calibration of a head: of the records with a mean score of 0.8, about 80 % should be viruses.

Platt scaling (1999) of the log odds of a frame, fitted so that the mean over a record is calibrated, not each frame:
the mean is further from 0 and 1 than a single score. Slope and intercept are put into the last layer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.weights import group_weights

DEVIATION = 0.5
"""Standard deviation of the normal prior of slope (its logarithm) and intercept: few groups then move scores little."""


def calibrate(head: HeadTensors, examples: Examples) -> HeadTensors:
    """`head` with the slope and intercept that are most probable by the records' means.

    Both classes have the same weight, and within a class each group, because later records are of other groups. So
    scores are probabilities where viruses are as frequent as others. The number of observations is taken as twice the
    number of groups of the rarer class.
    """
    from scipy.optimize import minimize

    log_odds = head.log_odds(examples.joined)
    virus = examples.virus
    weights, observations = group_weights(virus, examples.groups)

    def loss(parameters: NDArray[np.float64]) -> float:
        means = np.clip(examples.means(sigmoid(np.exp(parameters[0]) * log_odds + parameters[1])), 1e-9, 1 - 1e-9)
        surprise = -np.log(np.where(virus, means, 1 - means)) @ weights
        return float(observations * surprise + np.square(parameters / DEVIATION).sum() / 2)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"maxiter": 500})
    return head.calibrated(float(np.exp(found.x[0])), float(found.x[1]))


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow; NaN of NaN."""
    with np.errstate(invalid="ignore"):
        return np.exp(-np.logaddexp(0, -values))

"""Scores that mean what they say: the mean over a record's frames is the share of such records that are viruses.

Platt's scaling (1999) of the log odds of a frame, fitted so that the mean of a record is calibrated, not its frames:
frames of a record are alike, and their mean is further from 0 and 1 than a single one. It goes into the last layer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.weights import group_weights

DEVIATION = 0.5
"""How far slope (its logarithm) and intercept are expected to lie from those of the fit: the standard deviation of a
normal distribution before any group is seen. A score is moved by a few groups only as far as they are evidence."""


def calibrate(head: HeadTensors, examples: Examples) -> HeadTensors:
    """`head` with the slope and intercept that are most probable by the records' means.

    The classes count alike and in each its groups, because what comes later is of other groups: so scores are right
    where viruses are as frequent as others. All together count as many observations as twice the groups of the rarer
    class.
    """
    from scipy.optimize import minimize

    log_odds = head.log_odds(examples.joined)
    virus = examples.virus
    weights, observations = group_weights(examples)

    def loss(parameters: NDArray[np.float64]) -> float:
        means = np.clip(examples.means(sigmoid(np.exp(parameters[0]) * log_odds + parameters[1])), 1e-9, 1 - 1e-9)
        surprise = -np.log(np.where(virus, means, 1 - means)) @ weights
        return float(observations * surprise + np.square(parameters / DEVIATION).sum() / 2)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"maxiter": 500})
    return head.calibrated(float(np.exp(found.x[0])), float(found.x[1]))


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.exp(-np.logaddexp(0, -values))

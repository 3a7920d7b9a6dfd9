"""Scores that mean what they say: the mean over a record's frames is the share of such records that are viruses.

Platt's scaling (1999) of the log odds of a frame, fitted so that the mean of a record is calibrated, not its frames:
frames of a record are alike, and their mean is further from 0 and 1 than a single one. It goes into the last layer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.fitting.examples import Examples
from virnucpro_tasks.fitting.tensors import HeadTensors


def calibrate(head: HeadTensors, examples: Examples) -> HeadTensors:
    """`head` with slope and intercept of least cross-entropy of the records' means.

    Records count alike, so scores are right for as many viruses among the scored records as there are here.
    """
    from scipy.optimize import minimize

    log_odds = head.log_odds(examples.joined)
    virus = examples.virus

    def loss(parameters: NDArray[np.float64]) -> float:
        means = np.clip(examples.means(sigmoid(np.exp(parameters[0]) * log_odds + parameters[1])), 1e-9, 1 - 1e-9)
        return float(-np.log(np.where(virus, means, 1 - means)).mean())

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"maxiter": 500})
    return head.calibrated(float(np.exp(found.x[0])), float(found.x[1]))


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.exp(-np.logaddexp(0, -values))

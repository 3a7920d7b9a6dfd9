"""Logistic regression on the vectors: the baseline for the MLP."""

from __future__ import annotations

import numpy as np

from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.threads import threads_for
from virnucpro_tasks.heads.weights import frame_weights, standardisation

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
"""Values of scikit-learn's C, the inverse of the penalty, that are tried."""


def fit_logistic(train: Examples, validation: Examples) -> HeadTensors:
    """L2-penalised logistic regression, with the penalty that has the least loss on `validation`."""
    # Imported here: a client has no scikit-learn.
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    mean, deviation = standardisation(train.joined)
    inputs, others = ((examples.joined - mean) / deviation for examples in (train, validation))
    best, kept = np.inf, None
    with threads_for(inputs):
        for penalty in PENALTIES:
            model = LogisticRegression(C=penalty, max_iter=2_000)
            model.fit(inputs, train.virus[train.record], sample_weight=frame_weights(train))
            predicted = model.predict_proba(others)[:, 1]
            truth = validation.virus[validation.record]
            loss = log_loss(truth, predicted, sample_weight=frame_weights(validation))
            if loss < best:
                best, kept = loss, model
    assert kept is not None
    return HeadTensors.linear(kept.coef_[0].astype(np.float64), float(kept.intercept_[0])).standardised(mean, deviation)

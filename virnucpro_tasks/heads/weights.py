"""Weights of frames and records, and standardisation of vectors, for fitting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.examples import Examples

LEAST_DEVIATION = 1e-6


def frame_weights(examples: Examples) -> NDArray[np.float64]:
    """Weights of frames (n,), mean 1: equal sums for both classes, the records of a class, the frames of a record."""
    frames = np.bincount(examples.record, minlength=len(examples.ids))
    classes = examples.virus.astype(np.int64)
    of_class = np.bincount(classes, minlength=2)
    weights = (1 / frames / of_class[classes])[examples.record]
    return weights / weights.mean()


def group_weights(virus: NDArray[np.bool_], groups: Sequence[str]) -> tuple[NDArray[np.float64], int]:
    """Weights of records (n,), sum 1: equal sums for both classes, for the groups of a class, the records of a group.

    `virus` and `groups` are by record. Second, the number of observations: twice the groups of the class that has
    fewer.
    """
    numbers = np.unique(groups, return_inverse=True)[1]
    classes = virus.astype(np.int64)
    records = np.zeros((2, numbers.max() + 1))
    np.add.at(records, (classes, numbers), 1)
    of_class = (records > 0).sum(axis=1)
    return 0.5 / of_class[classes] / records[classes, numbers], 2 * int(of_class.min())


def standardisation(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each column of (n, width), both (width,)."""
    deviation = vectors.std(axis=0, dtype=np.float64)
    return vectors.mean(axis=0, dtype=np.float64), np.maximum(deviation, LEAST_DEVIATION)

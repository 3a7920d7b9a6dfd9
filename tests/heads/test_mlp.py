from __future__ import annotations

from collections.abc import Callable

import numpy as np

from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.mlp import MOST_EPOCHS, PATIENCE, Epoch, fit_mlp

Make = Callable[..., Examples]


def test_training_ends_some_epochs_after_the_least_validation_loss(make_examples: Make) -> None:
    epochs: list[Epoch] = []
    train, validation = (make_examples(groups=20, distance=0.4, seed=seed) for seed in (0, 1))
    head = fit_mlp(train, validation, hidden=4, seed=3, say=epochs.append)
    losses = [epoch.validation for epoch in epochs]
    assert [epoch.number for epoch in epochs] == list(range(1, len(epochs) + 1))
    assert len(epochs) < MOST_EPOCHS and len(losses) - 1 - int(np.argmin(losses)) == PATIENCE
    assert head.hidden.shape == (4, 16)

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.mlp import MOST_EPOCHS, PATIENCE, Epoch, fit_mlp

Make = Callable[..., Examples]


def test_training_ends_some_epochs_after_the_least_validation_loss(make_examples: Make) -> None:
    epochs: list[Epoch] = []
    head = fit_mlp(make_examples(groups=8), make_examples(groups=8, seed=1), hidden=4, seed=1, say=epochs.append)
    losses = [epoch.validation for epoch in epochs]
    assert [epoch.number for epoch in epochs] == list(range(1, len(epochs) + 1))
    assert len(epochs) == MOST_EPOCHS or len(losses) - 1 - int(np.argmin(losses)) == PATIENCE
    assert head.hidden.shape == (4, 16)

"""The MLP of VirNucPro (hidden layer, batch normalization, ReLU, dropout 0.5, two outputs) fitted to vectors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from virnucpro_tasks.heads.adamw import AdamW
from virnucpro_tasks.heads.examples import Examples
from virnucpro_tasks.heads.tensors import HeadTensors
from virnucpro_tasks.heads.threads import threads_for
from virnucpro_tasks.heads.weights import frame_weights, standardisation

DROPOUT = 0.5
LEARNING_RATE, DECAY = 1e-3, 1e-2
BATCH_FRAMES = 256
PATIENCE = 8
"""Training ends after so many epochs without a better loss on the validation part."""

MOST_EPOCHS = 200


@dataclass(frozen=True, slots=True)
class Epoch:
    """Mean losses of an epoch in nats, over the frames for training and over those for validation."""

    number: int
    training: float
    validation: float


def fit_mlp(
    train: Examples, validation: Examples, *, hidden: int, seed: int, say: Callable[[Epoch], None] = lambda _: None
) -> HeadTensors:
    """The head of the epoch with the least loss on `validation`. The same arguments give the same head on one machine.

    Both classes have the same weight, and within a class each record, whatever its number of frames.
    """
    mean, deviation = standardisation(train.joined)
    # Before threads are limited: the limit holds for libraries that are loaded by then.
    import_module("torch")
    with threads_for(train.joined):
        return _fit(train, validation, mean, deviation, hidden=hidden, seed=seed, say=say)


def _fit(
    train: Examples,
    validation: Examples,
    mean: NDArray[np.float64],
    deviation: NDArray[np.float64],
    *,
    hidden: int,
    seed: int,
    say: Callable[[Epoch], None],
) -> HeadTensors:
    # Imported here: only fitting needs torch.
    import torch
    from torch import nn
    from torch.nn import functional

    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)

    def tensors(examples: Examples) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        inputs = ((examples.joined - mean) / deviation).astype(np.float32)
        target = examples.virus[examples.record].astype(np.int64)
        weights = frame_weights(examples).astype(np.float32)
        return torch.from_numpy(inputs), torch.from_numpy(target), torch.from_numpy(weights)

    model = nn.Sequential(
        nn.Linear(len(mean), hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(hidden, 2)
    )
    optimizer = AdamW(model.parameters(), rate=LEARNING_RATE, decay=DECAY)
    inputs, target, weights = tensors(train)
    held_inputs, held_target, held_weights = tensors(validation)
    best, kept, since = np.inf, copy.deepcopy(model.state_dict()), 0
    for number in range(1, MOST_EPOCHS + 1):
        model.train()
        total = 0.0
        # The last few frames of an epoch are left out: batch normalization needs two.
        for rows in torch.randperm(len(inputs), generator=generator).split(BATCH_FRAMES):
            if len(rows) < 2:
                continue
            losses = functional.cross_entropy(model(inputs[rows]), target[rows], reduction="none")
            loss = (losses * weights[rows]).mean()
            optimizer.step(loss)
            total += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            losses = functional.cross_entropy(model(held_inputs), held_target, reduction="none")
        held_loss = float((losses * held_weights).mean())
        say(Epoch(number, total / len(inputs), held_loss))
        since += 1
        if held_loss < best:
            best, kept, since = held_loss, copy.deepcopy(model.state_dict()), 0
        elif since >= PATIENCE:
            break
    return _tensors(kept).standardised(mean, deviation)


def _tensors(state: dict[str, NDArray[np.float32]]) -> HeadTensors:
    names = ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "4.weight", "4.bias")
    return HeadTensors(*(np.asarray(state[name], dtype=np.float64) for name in names))

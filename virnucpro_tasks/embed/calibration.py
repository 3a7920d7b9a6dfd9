"""Means of the inputs of ESM-2's linear layers, over the tokens of real proteins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from virnucpro_tasks.embed.esm2 import Esm2, Layer
from virnucpro_tasks.embed.segments import Segments

INPUTS = {"self_attn.q_proj": "qkv", "self_attn.out_proj": "out", "fc1": "fc1", "fc2": "fc2"}
"""Modules whose input is averaged, with the name of their product; queries, keys and values share one input."""

LayerMeans = dict[str, Tensor]
"""Means (inputs,) FP32 of one layer, by the names in INPUTS."""


@torch.inference_mode()
def input_means(model: Esm2, packs: Iterable[tuple[Tensor, Segments]]) -> list[LayerMeans]:
    """The mean of each input channel of each product, for each layer, over all tokens of `packs`."""
    sums: list[LayerMeans] = [{} for _ in model.layers]
    hooks = [
        cast(Layer, layer).get_submodule(path).register_forward_pre_hook(_adder(sums[number], name))
        for number, layer in enumerate(model.layers)
        for path, name in INPUTS.items()
    ]
    count = 0
    try:
        for tokens, segments in packs:
            model(tokens, segments)
            count += len(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return [{name: total / count for name, total in layer_sums.items()} for layer_sums in sums]


def zero_means(model: Esm2) -> list[LayerMeans]:
    """Zeros in place of `input_means`, so that nothing is subtracted."""
    return [
        {
            name: torch.zeros(cast(nn.Linear, cast(Layer, layer).get_submodule(path)).in_features, device=device)
            for path, name in INPUTS.items()
        }
        for layer in model.layers
        for device in [model.inv_freq.device]
    ]


def _adder(sums: LayerMeans, name: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
    def add(_module: nn.Module, inputs: tuple[Tensor]) -> None:
        total = inputs[0].sum(0, dtype=torch.float32)
        sums[name] = sums[name] + total if name in sums else total

    return add

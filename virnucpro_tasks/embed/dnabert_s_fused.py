"""DNABERT-S on a CUDA device in half precision: cuBLAS products with Triton kernels between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from virnucpro_tasks.embed.backends import TRITON
from virnucpro_tasks.embed.dnabert_s import AttentionOutput, DnabertS, Layer, SelfAttention
from virnucpro_tasks.embed.fused_norm import FusedNorm
from virnucpro_tasks.embed.kernels import gated_linear as kernel
from virnucpro_tasks.embed.kernels.activation import gated_gelu
from virnucpro_tasks.embed.kernels.attention import alibi_attention
from virnucpro_tasks.embed.segments import Segments


@dataclass(frozen=True, slots=True)
class FusedLayer:
    """The weights of one block; matrices are views (inputs, outputs) in half precision."""

    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    attention_norm: FusedNorm
    gated: Callable[[Tensor], Tensor]
    wo: Tensor
    feed_forward_norm: FusedNorm


class FusedDnabertS:
    """The forward pass of `DnabertS` from the same weights."""

    def __init__(self, model: DnabertS) -> None:
        """Move the weights out of `model`, which cannot be used afterwards."""
        self.width = model.width
        self.vocabulary = model.vocabulary
        self.attention = model.attention
        assert self.attention.name == TRITON
        embeddings = model.embeddings
        words, first_type = embeddings.word_embeddings.weight, embeddings.token_type_embeddings.weight[0]
        self._embedding = (words.float() + first_type.float()).to(words.dtype)
        self._norm = FusedNorm.of(embeddings.LayerNorm, offset=torch.zeros_like(first_type))
        self._slopes = model.slopes
        layers = cast(nn.ModuleList, model.encoder["layer"])
        self._layers = [_fused(cast(Layer, layers.pop(0))) for _ in range(len(layers))]

    def __call__(self, tokens: Tensor, segments: Segments) -> Tensor:
        """States of the last layer, (T, width), for `tokens` (T,) int64 with [CLS] and [SEP]."""
        longest, bounds = segments.max_seqlen, segments.cu_seqlens
        states = self._norm(functional.embedding(tokens, self._embedding))
        for layer in self._layers:
            qkv = states @ layer.qkv
            mixed = alibi_attention(
                qkv, layer.qkv_bias, bounds, self._slopes, heads=len(self._slopes), max_seqlen=longest
            )
            states = layer.attention_norm(states.addmm_(mixed, layer.out))
            states = layer.feed_forward_norm(states.addmm_(layer.gated(states), layer.wo))
        return states


def _fused(layer: Layer) -> FusedLayer:
    attention = cast(SelfAttention, layer.attention["self"])
    output = cast(AttentionOutput, layer.attention["output"])
    return FusedLayer(
        qkv=attention.Wqkv.weight.t(),
        qkv_bias=attention.Wqkv.bias.float(),
        out=output.dense.weight.t(),
        attention_norm=FusedNorm.of(output.LayerNorm, offset=output.dense.bias),
        gated=_gated(layer.mlp.gated_layers.weight),
        wo=layer.mlp.wo.weight.t(),
        feed_forward_norm=FusedNorm.of(layer.mlp.layernorm, offset=layer.mlp.wo.bias),
    )


def _gated(weight: Tensor) -> Callable[[Tensor], Tensor]:
    """The gated product: one fused kernel where card and width allow it, else a product and a kernel for the gate."""
    fits = weight.shape[0] % kernel.BLOCK_COLUMNS == 0
    if fits and torch.cuda.get_device_capability(weight.device) >= kernel.LEAST_CAPABILITY:
        return partial(kernel.gated_linear, weight=kernel.interleaved(weight))
    transposed = weight.t()
    return lambda states: gated_gelu(states @ transposed)

"""ESM-2 on a CUDA device in half precision: cuBLAS products with Triton kernels between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from virnucpro_tasks.embed.backends import TRITON
from virnucpro_tasks.embed.esm2 import TOKEN_DROPOUT_SCALE, Esm2, Layer
from virnucpro_tasks.embed.fused_norm import FusedNorm
from virnucpro_tasks.embed.kernels.activation import add_bias_gelu_
from virnucpro_tasks.embed.kernels.attention import rotary_attention
from virnucpro_tasks.embed.rotary import RotaryCache
from virnucpro_tasks.embed.segments import Segments


@dataclass(frozen=True, slots=True)
class FusedLayer:
    """The weights of one block; matrices are views (inputs, outputs) in half precision, biases FP32."""

    attention_norm: FusedNorm
    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    feed_forward_norm: FusedNorm
    fc1: Tensor
    fc1_bias: Tensor
    fc2: Tensor


class FusedEsm2:
    """The forward pass of `Esm2` from the same weights.

    The residual stream leaves out the biases of the two products that add to it. Their sum up to each layer is a
    constant vector, which the LayerNorm adds. So a product can add to the stream in place, and each operation reads the
    stream once instead of reading, writing and reading it again. Rotary tables are FP32 and made once.
    """

    def __init__(self, model: Esm2) -> None:
        """Move the weights out of `model`, which cannot be used afterwards: both would not fit on a small card."""
        self.width = model.width
        self.attention = model.attention
        assert self.attention.name == TRITON
        self.heads = cast(Layer, model.layers[0]).self_attn.heads
        self._embedding = model.embed_tokens.weight * TOKEN_DROPOUT_SCALE
        self._rotary = RotaryCache(model.inv_freq)
        offset = torch.zeros(self.width, dtype=torch.float32, device=self._embedding.device)
        self._layers: list[FusedLayer] = []
        while len(model.layers):
            layer = cast(Layer, model.layers.pop(0))
            after_attention = offset + layer.self_attn.out_proj.bias.float()
            self._layers.append(_fused(layer, offset, after_attention))
            offset = after_attention + layer.fc2.bias.float()
        self._norm = FusedNorm.of(model.emb_layer_norm_after, offset=offset)

    def __call__(self, tokens: Tensor, segments: Segments) -> Tensor:
        """States after the final LayerNorm, (T, width), for `tokens` (T,) int64 with <cls> and <eos>."""
        longest, bounds = segments.max_seqlen, segments.cu_seqlens
        table = self._rotary.table(longest)
        states = functional.embedding(tokens, self._embedding)
        for layer in self._layers:
            qkv = layer.attention_norm(states) @ layer.qkv
            mixed = rotary_attention(qkv, layer.qkv_bias, bounds, table, heads=self.heads, max_seqlen=longest)
            states.addmm_(mixed, layer.out)
            inner = add_bias_gelu_(layer.feed_forward_norm(states) @ layer.fc1, layer.fc1_bias)
            states.addmm_(inner, layer.fc2)
        return self._norm(states)


def _fused(layer: Layer, before: Tensor, between: Tensor) -> FusedLayer:
    attention = layer.self_attn
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    return FusedLayer(
        attention_norm=FusedNorm.of(layer.self_attn_layer_norm, offset=before),
        qkv=torch.cat([projection.weight for projection in projections]).t(),
        qkv_bias=torch.cat([projection.bias for projection in projections]).float(),
        out=attention.out_proj.weight.t(),
        feed_forward_norm=FusedNorm.of(layer.final_layer_norm, offset=between),
        fc1=layer.fc1.weight.t(),
        fc1_bias=layer.fc1.bias.float(),
        fc2=layer.fc2.weight.t(),
    )

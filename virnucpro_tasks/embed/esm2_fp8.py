"""ESM-2 with FP8 matrix products on a CUDA device; the operations between them are those of `esm2_fused`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from virnucpro_tasks.embed.backends import TRITON
from virnucpro_tasks.embed.calibration import LayerMeans
from virnucpro_tasks.embed.esm2 import TOKEN_DROPOUT_SCALE, Esm2, Layer
from virnucpro_tasks.embed.fused_norm import FusedNorm
from virnucpro_tasks.embed.kernels.attention import rotary_attention
from virnucpro_tasks.embed.kernels.fp8 import gelu_rows, scaled_rows
from virnucpro_tasks.embed.rotary import RotaryCache
from virnucpro_tasks.embed.scaled_linear import ScaledLinear
from virnucpro_tasks.embed.segments import Segments


@dataclass(frozen=True, slots=True)
class HalfAttention:
    """Attention with products in half precision; matrices are views (inputs, outputs), the bias is FP32."""

    norm: FusedNorm
    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor

    def __call__(self, states: Tensor, added: Tensor | None, attend: PackAttention) -> Tensor | None:
        states.addmm_(attend(self.norm(states, added=added) @ self.qkv, self.qkv_bias), self.out)
        return None


@dataclass(frozen=True, slots=True)
class ScaledAttention:
    """Attention with FP8 products."""

    norm: FusedNorm
    qkv: ScaledLinear
    out: ScaledLinear

    def __call__(self, states: Tensor, added: Tensor | None, attend: PackAttention) -> Tensor | None:
        mixed = attend(self.qkv(self.norm.rows(states, added=added)), self.qkv.bias)
        return self.out(scaled_rows(mixed, self.out.mean))


@dataclass(frozen=True, slots=True)
class ScaledLayer:
    """One block; the feed-forward part is always in FP8. `fc1_bias` and `fc2_mean` are in half precision."""

    attention: HalfAttention | ScaledAttention
    norm: FusedNorm
    fc1: ScaledLinear
    fc1_bias: Tensor
    fc2: ScaledLinear
    fc2_mean: Tensor


@dataclass(frozen=True, slots=True)
class PackAttention:
    """Rotary attention inside the sequences of one pack; `table` is the rotary table."""

    segments: Segments
    table: tuple[Tensor, Tensor]
    heads: int

    def __call__(self, qkv: Tensor, bias: Tensor) -> Tensor:
        bounds, longest = self.segments.cu_seqlens, self.segments.max_seqlen
        return rotary_attention(qkv, bias, bounds, self.table, heads=self.heads, max_seqlen=longest)


class Fp8Esm2:
    """The forward pass of `Esm2` with FP8 products, in all linear layers or in those of the feed-forward parts.

    An FP8 product cannot add to the residual stream in place, so the LayerNorm that follows it does.
    """

    def __init__(self, model: Esm2, means: Sequence[LayerMeans], *, attention_too: bool) -> None:
        """Move the weights out of `model`, which was loaded for the triton backend; `means` are from `input_means`."""
        self.width = model.width
        self.attention = model.attention
        assert self.attention.name == TRITON
        self.heads = cast(Layer, model.layers[0]).self_attn.heads
        self._embedding = model.embed_tokens.weight * TOKEN_DROPOUT_SCALE
        self._rotary = RotaryCache(model.inv_freq)
        offset = torch.zeros(self.width, dtype=torch.float32, device=self._embedding.device)
        self._layers: list[ScaledLayer] = []
        for mean in means:
            layer = cast(Layer, model.layers.pop(0))
            made, offset = _scaled(layer, mean, offset, attention_too=attention_too)
            self._layers.append(made)
        self._norm = FusedNorm.of(model.emb_layer_norm_after, offset=offset)

    def __call__(self, tokens: Tensor, segments: Segments) -> Tensor:
        """States after the final LayerNorm, (T, width), for `tokens` (T,) int64 with <cls> and <eos>."""
        attend = PackAttention(segments, self._rotary.table(segments.max_seqlen), self.heads)
        states = functional.embedding(tokens, self._embedding)
        added: Tensor | None = None
        for layer in self._layers:
            added = layer.attention(states, added, attend)
            inner = layer.fc1(layer.norm.rows(states, added=added))
            added = layer.fc2(gelu_rows(inner, layer.fc1_bias, layer.fc2_mean))
        return self._norm(states, added=added)


def _scaled(layer: Layer, mean: LayerMeans, offset: Tensor, *, attention_too: bool) -> tuple[ScaledLayer, Tensor]:
    """The block in FP8, and the sum of the biases that the residual stream leaves out after it; `offset`: before it."""
    self_attn = layer.self_attn
    projections = (self_attn.q_proj, self_attn.k_proj, self_attn.v_proj)
    weight = torch.cat([projection.weight for projection in projections])
    bias = torch.cat([projection.bias for projection in projections]).float()
    attention: HalfAttention | ScaledAttention
    if attention_too:
        qkv = ScaledLinear.of(weight, bias, mean["qkv"])
        out = ScaledLinear.of(self_attn.out_proj.weight, self_attn.out_proj.bias, mean["out"])
        norm = FusedNorm.of(layer.self_attn_layer_norm, offset=offset).less(qkv.mean)
        attention = ScaledAttention(norm, qkv, out)
        offset = offset + out.bias
    else:
        norm = FusedNorm.of(layer.self_attn_layer_norm, offset=offset)
        attention = HalfAttention(norm, weight.t(), bias, self_attn.out_proj.weight.t())
        offset = offset + self_attn.out_proj.bias.float()
    fc1 = ScaledLinear.of(layer.fc1.weight, layer.fc1.bias, mean["fc1"])
    # Rounded first: the bias of fc2 must make up for exactly what the kernel subtracts.
    fc2_mean = mean["fc2"].half()
    fc2 = ScaledLinear.of(layer.fc2.weight, layer.fc2.bias, fc2_mean.float())
    norm = FusedNorm.of(layer.final_layer_norm, offset=offset).less(fc1.mean)
    return ScaledLayer(attention, norm, fc1, fc1.bias.half(), fc2, fc2_mean), offset + fc2.bias

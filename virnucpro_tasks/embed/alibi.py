"""Attention with linear biases (Press et al. 2022), symmetric as in MosaicBERT."""

from __future__ import annotations

import torch
from torch import Tensor


def alibi_slopes(heads: int) -> Tensor:
    """The slope of each head, (heads,) FP32, in the order that the published weights expect.

    For a power of two n: 2 ** (-8k / n), k = 1..n. Otherwise the slopes of the next lower power of two, then
    every other slope of the next higher one. For 12 heads the list is therefore not sorted.
    """
    lower = 1 << (heads.bit_length() - 1)
    slopes = _powers(lower) + _powers(2 * lower)[::2][: heads - lower]
    return torch.tensor(slopes, dtype=torch.float32)


def alibi_bias(slopes: Tensor, length: int) -> Tensor:
    """The bias that is added to the attention scores: -slope * |i - j|, (heads, length, length) FP32."""
    positions = torch.arange(length, device=slopes.device)
    distance = (positions[:, None] - positions[None, :]).abs()
    return -slopes[:, None, None] * distance


def _powers(heads: int) -> list[float]:
    return [2.0 ** (-8.0 * k / heads) for k in range(1, heads + 1)]

"""The exact GELU (Hendrycks and Gimpel 2016: x times the normal distribution function), alone and as a gate."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
ROWS = 4
"""Rows that one program computes, with the bias in registers."""


@triton.jit
def exact_gelu(values):
    """FP32 in and out. The normal tail by Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7: a fraction of
    half precision's rounding, and a third of the instructions of the library's erf."""
    size = tl.abs(values) * 0.7071067811865476
    t = 1.0 / (1.0 + 0.3275911 * size)
    series = 1.061405429 * t - 1.453152027
    series = series * t + 1.421413741
    series = series * t - 0.284496736
    series = (series * t + 0.254829592) * t
    tail = 0.5 * series * tl.exp2(size * size * -1.4426950408889634)
    return values * tl.where(values < 0.0, tail, 1.0 - tail)


# Otherwise Triton compiles again for numbers of tokens with other divisors.
@triton.jit(do_not_specialize=["tokens"])
def _gelu(states, bias, tokens, width, rows: tl.constexpr, block: tl.constexpr):
    columns = tl.program_id(0) * block + tl.arange(0, block)
    inside = columns < width
    offset = tl.load(bias + columns, mask=inside, other=0.0)
    first = tl.program_id(1).to(tl.int64) * rows
    for row in range(0, tl.minimum(rows, tokens - first)):
        at = states + (first + row) * width + columns
        values = tl.load(at, mask=inside, other=0.0).to(tl.float32) + offset
        tl.store(at, exact_gelu(values).to(states.dtype.element_ty), mask=inside)


@triton.jit
def _gated_gelu(states, out, width, block: tl.constexpr):
    row = tl.program_id(1).to(tl.int64)
    columns = tl.program_id(0) * block + tl.arange(0, block)
    inside = columns < width
    at = states + row * 2 * width + columns
    gate = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    value = tl.load(at + width, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + columns, (exact_gelu(gate) * value).to(out.dtype.element_ty), mask=inside)


def add_bias_gelu_(states: Tensor, bias: Tensor) -> Tensor:
    """GELU of `states` + `bias` in place: `states` (T, width), `bias` (width,) FP32."""
    tokens, width = states.shape
    grid = (triton.cdiv(width, BLOCK), triton.cdiv(tokens, ROWS))
    _gelu[grid](states, bias, tokens, width, rows=ROWS, block=BLOCK)
    return states


def gated_gelu(states: Tensor) -> Tensor:
    """GELU of the first half of each row times its second half: (T, 2 * width) to (T, width)."""
    tokens, width = states.shape[0], states.shape[1] // 2
    out = torch.empty((tokens, width), dtype=states.dtype, device=states.device)
    _gated_gelu[(triton.cdiv(width, BLOCK), tokens)](states, out, width, block=BLOCK)
    return out

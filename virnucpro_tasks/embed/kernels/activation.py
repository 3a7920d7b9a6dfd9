"""The exact GELU (Hendrycks and Gimpel 2016: x times the normal distribution function), alone and as a gate."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


@triton.jit
def _exact_gelu(values):
    return 0.5 * values * (1.0 + tl.erf(values * 0.7071067811865476))


@triton.jit
def _gelu(states, bias, width, block: tl.constexpr):
    row = tl.program_id(1).to(tl.int64)
    columns = tl.program_id(0) * block + tl.arange(0, block)
    inside = columns < width
    at = states + row * width + columns
    values = tl.load(at, mask=inside, other=0.0).to(tl.float32) + tl.load(bias + columns, mask=inside, other=0.0)
    tl.store(at, _exact_gelu(values).to(states.dtype.element_ty), mask=inside)


@triton.jit
def _gated_gelu(states, out, width, block: tl.constexpr):
    row = tl.program_id(1).to(tl.int64)
    columns = tl.program_id(0) * block + tl.arange(0, block)
    inside = columns < width
    at = states + row * 2 * width + columns
    gate = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    value = tl.load(at + width, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + columns, (_exact_gelu(gate) * value).to(out.dtype.element_ty), mask=inside)


def add_bias_gelu_(states: Tensor, bias: Tensor) -> Tensor:
    """GELU of `states` + `bias` in place: `states` (T, width), `bias` (width,) FP32."""
    tokens, width = states.shape
    _gelu[(triton.cdiv(width, BLOCK), tokens)](states, bias, width, block=BLOCK)
    return states


def gated_gelu(states: Tensor) -> Tensor:
    """GELU of the first half of each row times its second half: (T, 2 * width) to (T, width)."""
    tokens, width = states.shape[0], states.shape[1] // 2
    out = torch.empty((tokens, width), dtype=states.dtype, device=states.device)
    _gated_gelu[(triton.cdiv(width, BLOCK), tokens)](states, out, width, block=BLOCK)
    return out

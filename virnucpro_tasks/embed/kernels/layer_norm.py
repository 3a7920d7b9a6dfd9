"""LayerNorm (Ba et al. 2016) of a row plus a constant offset, in one pass over memory."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _layer_norm(states, offset, weight, bias, out, width, eps, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, block)
    inside = columns < width
    values = tl.load(states + row * width + columns, mask=inside, other=0.0).to(tl.float32)
    values += tl.load(offset + columns, mask=inside, other=0.0)
    mean = tl.sum(values, 0) / width
    centred = tl.where(inside, values - mean, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / width + eps)
    normed = centred * scale * tl.load(weight + columns, mask=inside, other=0.0)
    normed += tl.load(bias + columns, mask=inside, other=0.0)
    tl.store(out + row * width + columns, normed.to(out.dtype.element_ty), mask=inside)


def layer_norm(states: Tensor, offset: Tensor, weight: Tensor, bias: Tensor, *, eps: float) -> Tensor:
    """LayerNorm of `states` + `offset`: (T, width) in, the same out; `offset`, `weight`, `bias` (width,) FP32."""
    tokens, width = states.shape
    out = torch.empty_like(states)
    block = triton.next_power_of_2(width)
    _layer_norm[(tokens,)](states, offset, weight, bias, out, width, eps, block=block, num_warps=4)
    return out

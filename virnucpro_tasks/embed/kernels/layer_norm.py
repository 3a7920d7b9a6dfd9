"""LayerNorm (Ba et al. 2016) of rows plus a constant offset in one pass, to half precision or scaled FP8."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from virnucpro_tasks.embed.kernels.fp8 import WARPS, ScaledRows, largest_of, row_parts, store_rounded


@triton.jit
def _layer_norm(
    states,
    added,
    offset,
    weight,
    bias,
    out,
    scales,
    width,
    eps,
    one: tl.constexpr,
    two: tl.constexpr,
    add: tl.constexpr,
    quantise: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    start = row * width
    head = tl.arange(0, one)
    tail = one + tl.arange(0, two)
    inside = tail < width
    first = tl.load(states + start + head).to(tl.float32)
    second = tl.load(states + start + tail, mask=inside, other=0.0).to(tl.float32)
    if add:
        first += tl.load(added + start + head).to(tl.float32)
        second += tl.load(added + start + tail, mask=inside, other=0.0).to(tl.float32)
        tl.store(states + start + head, first.to(states.dtype.element_ty))
        tl.store(states + start + tail, second.to(states.dtype.element_ty), mask=inside)
    first += tl.load(offset + head)
    second += tl.load(offset + tail, mask=inside, other=0.0)
    mean = (tl.sum(first, 0) + tl.sum(second, 0)) / width
    first -= mean
    second = tl.where(inside, second - mean, 0.0)
    scale = 1.0 / tl.sqrt((tl.sum(first * first, 0) + tl.sum(second * second, 0)) / width + eps)
    first = first * scale * tl.load(weight + head) + tl.load(bias + head)
    second = second * scale * tl.load(weight + tail, mask=inside, other=0.0)
    second += tl.load(bias + tail, mask=inside, other=0.0)
    if quantise:
        store_rounded(first, second, largest_of(first, second), out, scales + row, start, head, tail, inside)
    else:
        tl.store(out + start + head, first.to(out.dtype.element_ty))
        tl.store(out + start + tail, second.to(out.dtype.element_ty), mask=inside)


def layer_norm(
    states: Tensor, offset: Tensor, weight: Tensor, bias: Tensor, *, eps: float, added: Tensor | None = None
) -> Tensor:
    """LayerNorm of `states` (T, width) + `offset`; `offset`, `weight`, `bias` (width,) FP32.

    `added` (T, width) is added to `states` first, in place.
    """
    out = torch.empty_like(states)
    _launch(states, added, offset, weight, bias, out, None, eps)
    return out


def layer_norm_rows(
    states: Tensor, offset: Tensor, weight: Tensor, bias: Tensor, *, eps: float, added: Tensor | None = None
) -> ScaledRows:
    """`layer_norm` with the result as FP8, one scale per row."""
    rows = ScaledRows.empty(*states.shape, device=states.device)
    _launch(states, added, offset, weight, bias, rows.values, rows.scales, eps)
    return rows


def _launch(
    states: Tensor,
    added: Tensor | None,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor,
    out: Tensor,
    scales: Tensor | None,
    eps: float,
) -> None:
    tokens, width = states.shape
    one, two = row_parts(width)
    _layer_norm[(tokens,)](
        states,
        states if added is None else added,
        offset,
        weight,
        bias,
        out,
        offset if scales is None else scales,
        width,
        eps,
        one=one,
        two=two,
        add=added is not None,
        quantise=scales is not None,
        num_warps=WARPS,
    )

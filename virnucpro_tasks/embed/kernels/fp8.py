"""Rows as FP8 (e4m3: 4 bits of exponent, 3 of mantissa) with one FP32 scale each, made in one pass over memory.

A row stays in registers between the search for its largest value and the rounding. It is held as two parts whose
sizes are powers of two, as a Triton block must be: 10,240 columns are 8,192 and 2,048, and nothing is wasted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
import triton
import triton.language as tl
from torch import Tensor

from virnucpro_tasks.embed.kernels.activation import exact_gelu

LARGEST = 448.0
"""The largest finite number of e4m3."""

LEAST_TAIL = 16
WARPS = 4
GELU_WARPS = 16
"""Warps of `gelu_rows`, whose rows are four times as long."""


@triton.jit
def largest_of(first, second):
    """The largest magnitude of a row's two parts, FP32; a little more than zero for a row that is all zero."""
    return tl.maximum(tl.maximum(tl.max(tl.abs(first), 0), tl.max(tl.abs(second), 0)), 1e-9)


@triton.jit
def store_rounded(first, second, largest, out, scale, start, head, tail, inside):
    """Write a row as FP8 under the scale that makes LARGEST of `largest`, and that scale."""
    tl.store(scale, largest * (1.0 / 448.0))
    factor = 448.0 / largest
    tl.store(out + start + head, (first * factor).to(out.dtype.element_ty))
    tl.store(out + start + tail, (second * factor).to(out.dtype.element_ty), mask=inside)


@triton.jit
def _gelu_rows(states, bias, mean, out, scales, width, one: tl.constexpr, two: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    start = row * width
    head = tl.arange(0, one)
    tail = one + tl.arange(0, two)
    inside = tail < width
    first = tl.load(states + start + head).to(tl.float32) + tl.load(bias + head).to(tl.float32)
    second = tl.load(states + start + tail, mask=inside, other=0.0).to(tl.float32)
    second += tl.load(bias + tail, mask=inside, other=0.0).to(tl.float32)
    first = exact_gelu(first) - tl.load(mean + head).to(tl.float32)
    second = exact_gelu(second) - tl.load(mean + tail, mask=inside, other=0.0).to(tl.float32)
    largest = largest_of(first, tl.where(inside, second, 0.0))
    store_rounded(first, second, largest, out, scales + row, start, head, tail, inside)


@triton.jit
def _plain_rows(states, mean, out, scales, width, one: tl.constexpr, two: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    start = row * width
    head = tl.arange(0, one)
    tail = one + tl.arange(0, two)
    inside = tail < width
    first = tl.load(states + start + head).to(tl.float32) - tl.load(mean + head)
    second = tl.load(states + start + tail, mask=inside, other=0.0).to(tl.float32)
    second -= tl.load(mean + tail, mask=inside, other=0.0)
    store_rounded(first, second, largest_of(first, second), out, scales + row, start, head, tail, inside)


@dataclass(frozen=True, slots=True)
class ScaledRows:
    """`values` (T, width) e4m3 times `scales` (T, 1) FP32."""

    values: Tensor
    scales: Tensor

    @classmethod
    def empty(cls, tokens: int, width: int, *, device: torch.device) -> Self:
        return cls(
            torch.empty((tokens, width), dtype=torch.float8_e4m3fn, device=device),
            torch.empty((tokens, 1), dtype=torch.float32, device=device),
        )


def row_parts(width: int) -> tuple[int, int]:
    """Two powers of two that hold a row: the first is filled, the second has room for the rest."""
    one = 1 << (width.bit_length() - 1)
    return one, max(LEAST_TAIL, triton.next_power_of_2(width - one))


def gelu_rows(states: Tensor, bias: Tensor, mean: Tensor) -> ScaledRows:
    """GELU(`states` + `bias`) - `mean` as scaled FP8; `states` (T, width), `bias` and `mean` (width,).

    The two vectors should be in half precision: they are read again for every row, half as fast in FP32.
    """
    return _launch(_gelu_rows, states, bias, mean, warps=GELU_WARPS)


def scaled_rows(states: Tensor, mean: Tensor) -> ScaledRows:
    """`states` (T, width) - `mean` (width,) FP32 as scaled FP8."""
    return _launch(_plain_rows, states, mean, warps=WARPS)


def _launch(kernel, states: Tensor, *vectors: Tensor, warps: int) -> ScaledRows:
    tokens, width = states.shape
    rows = ScaledRows.empty(tokens, width, device=states.device)
    one, two = row_parts(width)
    kernel[(tokens,)](states, *vectors, rows.values, rows.scales, width, one=one, two=two, num_warps=warps)
    return rows

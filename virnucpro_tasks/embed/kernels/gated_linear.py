"""A matrix product fused with its gate: GELU of one half of the columns times the other half.

The two halves are not written to memory. Persistent programs; tiles are loaded by Hopper's tensor memory accelerator.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from virnucpro_tasks.embed.kernels.activation import exact_gelu

LEAST_CAPABILITY = (9, 0)
"""The lowest CUDA compute capability on which it is fast."""

BLOCK_ROWS = 128
BLOCK_COLUMNS = 256
"""Columns of the product in one block: half gates, half values."""

BLOCK_INNER = 64
GROUP_ROWS = 8
"""Row blocks computed one after the other, so that the weights they share stay in the L2 cache."""


# Otherwise Triton compiles again for numbers of tokens with other divisors.
@triton.jit(do_not_specialize=["rows"])
def _gated_linear(
    inputs,
    weight,
    out,
    rows,
    columns,
    inner,
    block_rows: tl.constexpr,
    block_columns: tl.constexpr,
    block_inner: tl.constexpr,
    group_rows: tl.constexpr,
    programs: tl.constexpr,
):
    row_blocks = tl.cdiv(rows, block_rows)
    column_blocks = tl.cdiv(columns, block_columns)
    half: tl.constexpr = block_columns // 2
    for tile in tl.range(tl.program_id(0), row_blocks * column_blocks, programs, flatten=True, warp_specialize=True):
        group = tile // (group_rows * column_blocks)
        first = group * group_rows
        size = tl.minimum(row_blocks - first, group_rows)
        row = (first + tile % (group_rows * column_blocks) % size) * block_rows
        column_block = (tile % (group_rows * column_blocks)) // size
        total = tl.zeros((block_rows, block_columns), tl.float32)
        for block in range(tl.cdiv(inner, block_inner)):
            left = inputs.load([row, block * block_inner])
            right = weight.load([column_block * block_columns, block * block_inner])
            total = tl.dot(left, right.T, total)
        gate, value = tl.split(tl.permute(tl.reshape(total, (block_rows, 2, half)), (0, 2, 1)))
        out.store([row, column_block * half], (exact_gelu(gate) * value).to(out.dtype))


def interleaved(weight: Tensor) -> Tensor:
    """`weight` (2 * width, inner), gates above values, reordered so that every BLOCK_COLUMNS rows hold both.

    `width` must be a multiple of BLOCK_COLUMNS / 2.
    """
    gates, values = weight.unflatten(0, (2, -1, BLOCK_COLUMNS // 2)).unbind(0)
    return torch.stack([gates, values], dim=1).flatten(0, 2).contiguous()


def gated_linear(inputs: Tensor, weight: Tensor) -> Tensor:
    """GELU(inputs @ gates.T) * (inputs @ values.T): `inputs` (T, inner) to (T, width).

    `weight` is what `interleaved` gives. Sums in FP32.
    """
    (rows, inner), columns = inputs.shape, weight.shape[0]
    out = torch.empty((rows, columns // 2), dtype=inputs.dtype, device=inputs.device)
    programs = torch.cuda.get_device_properties(inputs.device).multi_processor_count
    _gated_linear[(programs,)](
        TensorDescriptor.from_tensor(inputs, [BLOCK_ROWS, BLOCK_INNER]),
        TensorDescriptor.from_tensor(weight, [BLOCK_COLUMNS, BLOCK_INNER]),
        TensorDescriptor.from_tensor(out, [BLOCK_ROWS, BLOCK_COLUMNS // 2]),
        rows,
        columns,
        inner,
        block_rows=BLOCK_ROWS,
        block_columns=BLOCK_COLUMNS,
        block_inner=BLOCK_INNER,
        group_rows=GROUP_ROWS,
        programs=programs,
        num_warps=8,
        num_stages=3,
    )
    return out

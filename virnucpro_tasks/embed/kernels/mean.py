"""Mean over the tokens of each sequence, summed in FP32."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK_ROWS = 16
BLOCK_COLUMNS = 128


@triton.jit
def _segment_mean(
    states, cu_seqlens, out, width, skip_first, skip_last, block_rows: tl.constexpr, block_columns: tl.constexpr
):
    sequence = tl.program_id(1)
    columns = tl.program_id(0) * block_columns + tl.arange(0, block_columns)
    begin = tl.load(cu_seqlens + sequence) + skip_first
    end = tl.load(cu_seqlens + sequence + 1) - skip_last
    total = tl.zeros([block_rows, block_columns], tl.float32)
    for start in range(begin, end, block_rows):
        rows = start + tl.arange(0, block_rows)
        inside = (rows < end)[:, None] & (columns < width)[None, :]
        at = states + rows.to(tl.int64)[:, None] * width + columns[None, :]
        total += tl.load(at, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(total, 0) / (end - begin)
    tl.store(out + sequence.to(tl.int64) * width + columns, mean, mask=columns < width)


def segment_mean(states: Tensor, cu_seqlens: Tensor, *, skip_first: int, skip_last: int) -> Tensor:
    """`states` (T, width) to (S, width) FP32, without the first and last tokens of each sequence."""
    width, sequences = states.shape[1], len(cu_seqlens) - 1
    out = torch.empty((sequences, width), dtype=torch.float32, device=states.device)
    _segment_mean[(triton.cdiv(width, BLOCK_COLUMNS), sequences)](
        states, cu_seqlens, out, width, skip_first, skip_last, block_rows=BLOCK_ROWS, block_columns=BLOCK_COLUMNS
    )
    return out

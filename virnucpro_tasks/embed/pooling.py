"""Mean pooling: the states of tokens to one vector per sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from virnucpro_tasks.embed.segments import Segments


def segment_mean(
    states: Tensor, segments: Segments, *, skip_first: int = 0, skip_last: int = 0, most: int | None = None
) -> Tensor:
    """Mean over the tokens of each sequence, summed in FP32: (T, width) to (S, width) FP32.

    The first `skip_first` and last `skip_last` tokens of every sequence are left out, and of the others all after the
    first `most`; a sequence with nothing else gives NaN.
    """
    longest = segments.max_seqlen - skip_first - skip_last
    if states.is_cuda and (most is None or longest <= most):
        # Imported here: Triton comes with CUDA builds of torch only.
        from virnucpro_tasks.embed.kernels.mean import segment_mean as kernel

        return kernel(states, segments.cu_seqlens, skip_first=skip_first, skip_last=skip_last)
    means = [
        run.of(states)[:, skip_first : run.length - skip_last][:, :most].mean(dim=1, dtype=torch.float32)
        for run in segments.runs
    ]
    return torch.cat(means)

"""Linear layers in FP8, with a scale for each row of the input and for each output channel of the weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import ScalingType

from virnucpro_tasks.embed.kernels.fp8 import LARGEST, ScaledRows


@dataclass(frozen=True, slots=True)
class ScaledLinear:
    """`values` (outputs, inputs) e4m3 times `scales` (1, outputs) FP32; `bias` (outputs,) FP32 is left to the caller.

    `mean` (inputs,) FP32 must be subtracted from the inputs; `bias` makes up for it, since the product of the mean is a
    constant. Otherwise a channel that is always large would cost all others their precision.
    """

    values: Tensor
    scales: Tensor
    bias: Tensor
    mean: Tensor

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor, mean: Tensor) -> Self:
        """From `weight` (outputs, inputs) and `bias` (outputs,) in any precision, and the mean of the inputs."""
        full = weight.float()
        scales = (full.abs().amax(1, keepdim=True) / LARGEST).clamp(min=1e-12)
        values = (full / scales).clamp(-LARGEST, LARGEST).to(torch.float8_e4m3fn)
        return cls(values, scales.t().contiguous(), bias.float() + full @ mean, mean)

    def __call__(self, rows: ScaledRows) -> Tensor:
        """The product (T, outputs) in BF16, without the bias."""
        return functional.scaled_mm(
            rows.values,
            self.values.t(),
            rows.scales,
            ScalingType.RowWise,
            self.scales,
            ScalingType.RowWise,
            output_dtype=torch.bfloat16,
            # Sums of lower precision inside the matrix units: 1.2 times as fast, and no larger error was measured.
            use_fast_accum=True,
        )

"""The LayerNorm of the fused models, which adds the biases that the residual stream leaves out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor, nn

from virnucpro_tasks.embed.kernels.fp8 import ScaledRows
from virnucpro_tasks.embed.kernels.layer_norm import layer_norm, layer_norm_rows


@dataclass(frozen=True, slots=True)
class FusedNorm:
    """LayerNorm of states plus `offset`; `offset`, `weight` and `bias` are (width,) FP32."""

    offset: Tensor
    weight: Tensor
    bias: Tensor
    eps: float

    @classmethod
    def of(cls, norm: nn.LayerNorm, *, offset: Tensor) -> Self:
        """The weights of `norm`; `offset` is the sum of the biases that were not added to the states."""
        return cls(offset.float(), norm.weight.float(), norm.bias.float(), norm.eps)

    def less(self, mean: Tensor) -> Self:
        """This norm with `mean` (width,) FP32 subtracted from its result."""
        return replace(self, bias=self.bias - mean)

    def __call__(self, states: Tensor, *, added: Tensor | None = None) -> Tensor:
        """LayerNorm of `states` (T, width); `added` (T, width) is added to them first, in place."""
        return layer_norm(states, self.offset, self.weight, self.bias, eps=self.eps, added=added)

    def rows(self, states: Tensor, *, added: Tensor | None = None) -> ScaledRows:
        """As `__call__`, with the result as scaled FP8."""
        return layer_norm_rows(states, self.offset, self.weight, self.bias, eps=self.eps, added=added)

"""The LayerNorm of the fused models: of a sum whose constant part is kept apart."""

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
        """The weights of `norm`, with what the states lack: biases that were not added to them."""
        return cls(offset.float(), norm.weight.float(), norm.bias.float(), norm.eps)

    def less(self, mean: Tensor) -> Self:
        """The same with `mean` (width,) FP32 subtracted from its result."""
        return replace(self, bias=self.bias - mean)

    def __call__(self, states: Tensor, *, added: Tensor | None = None) -> Tensor:
        """(T, width) to the same; `added` (T, width) is added to the states first, in place."""
        return layer_norm(states, self.offset, self.weight, self.bias, eps=self.eps, added=added)

    def rows(self, states: Tensor, *, added: Tensor | None = None) -> ScaledRows:
        """The same as scaled FP8."""
        return layer_norm_rows(states, self.offset, self.weight, self.bias, eps=self.eps, added=added)

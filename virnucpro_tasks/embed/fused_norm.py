"""The LayerNorm of the fused models: of a sum whose constant part is kept apart."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from virnucpro_tasks.embed.kernels.layer_norm import layer_norm


@dataclass(frozen=True, slots=True)
class FusedNorm:
    """LayerNorm of states plus `offset`; `offset`, `weight` and `bias` are (width,) FP32."""

    offset: Tensor
    weight: Tensor
    bias: Tensor
    eps: float

    @classmethod
    def of(cls, norm: nn.LayerNorm, *, offset: Tensor) -> FusedNorm:
        """The weights of `norm`, with what the states lack: biases that were not added to them."""
        return cls(offset.float(), norm.weight.float(), norm.bias.float(), norm.eps)

    def __call__(self, states: Tensor) -> Tensor:
        """(T, width) to the same."""
        return layer_norm(states, self.offset, self.weight, self.bias, eps=self.eps)

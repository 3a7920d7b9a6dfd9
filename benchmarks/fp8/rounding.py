"""Numbers to FP8 or INT8 and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LARGEST_FP8 = 448.0
LARGEST_INT8 = 127.0
DAMPING = 0.01
GPTQ_COLUMNS = 64


@dataclass(frozen=True)
class Format:
    """FP8 or INT8, with one scale a row unless said otherwise."""

    integer: bool = False

    @property
    def largest(self) -> float:
        return LARGEST_INT8 if self.integer else LARGEST_FP8

    def scales(self, values: Tensor) -> Tensor:
        return (values.abs().amax(-1, keepdim=True) / self.largest).clamp(min=1e-12)

    def rounded(self, values: Tensor, scale: Tensor) -> Tensor:
        inside = (values / scale).clamp(-self.largest, self.largest)
        return (inside.round() if self.integer else inside.to(torch.float8_e4m3fn).float()) * scale

    def quantised(self, values: Tensor, *, twice: bool = False) -> Tensor:
        """`values` there and back; with `twice` the rest goes too, under a scale of its own."""
        high = self.rounded(values, self.scales(values))
        return high + self.quantised(values - high) if twice else high

    def columns(self, values: Tensor, columns: int) -> Tensor:
        """One scale for `columns` columns of a row."""
        return torch.cat([self.quantised(part) for part in values.split(columns, dim=1)], dim=1)

    def blocks(self, weight: Tensor, size: int) -> Tensor:
        """One scale for `size` x `size`."""
        strips = []
        for strip in weight.split(size):
            parts = strip.split(size, dim=1)
            strips.append(torch.cat([self.quantised(part.reshape(1, -1)).view_as(part) for part in parts], dim=1))
        return torch.cat(strips)

    def by_columns(self, weight: Tensor, moments: Tensor) -> Tensor:
        """GPTQ: the error of each column is made good by those behind it, as far as they can."""
        width = weight.shape[1]
        order = moments.diagonal().argsort(descending=True)
        damping = DAMPING * moments.diagonal().mean().clamp(min=1e-9)
        inverse = torch.linalg.inv(moments[order][:, order] + damping * torch.eye(width, dtype=torch.float64))
        factor = torch.linalg.cholesky((inverse + inverse.t()) / 2, upper=True).float()
        scale = self.scales(weight)
        rest = weight[:, order].clone()
        result = torch.empty_like(rest)
        for begin in range(0, width, GPTQ_COLUMNS):
            end = min(begin + GPTQ_COLUMNS, width)
            errors = torch.empty(len(rest), end - begin)
            for column in range(begin, end):
                result[:, column : column + 1] = self.rounded(rest[:, column : column + 1], scale)
                error = (rest[:, column] - result[:, column]) / factor[column, column]
                rest[:, column:end] -= torch.outer(error, factor[column, column:end])
                errors[:, column - begin] = error
            rest[:, end:] -= errors @ factor[begin:end, end:]
        return result[:, order.argsort()]

"""Rotary positions as in ESM-2: the halves of a head are rotated against each other, in FP32."""

from __future__ import annotations

import torch
from torch import Tensor

ROTARY_BASE = 10_000.0


def inverse_frequencies(head_dim: int) -> Tensor:
    """Exact base ** (-2i / head_dim) for i < head_dim / 2, FP32 on the CPU."""
    # The device is named because on the meta device torch would import its compiler, which takes two seconds.
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device="cpu") / head_dim
    return 1.0 / ROTARY_BASE**exponents


def rotary_table(positions: Tensor, inv_freq: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of position x frequency, each (T, 1, head_dim / 2) FP32."""
    angles = positions.to(torch.float32)[:, None] * inv_freq.to(torch.float32)
    return angles.cos()[:, None], angles.sin()[:, None]


def apply_rotary(heads: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate `heads` (T, heads, head_dim), component i with component i + head_dim / 2; the dtype is kept."""
    cosine, sine = table
    first, second = heads.to(torch.float32).chunk(2, dim=-1)
    turned = torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)
    return turned.to(heads.dtype)


class RotaryCache:
    """A table of cosine and sine by position, made again only for a sequence longer than all before."""

    def __init__(self, inv_freq: Tensor) -> None:
        self._inv_freq = inv_freq
        self._table: tuple[Tensor, Tensor] | None = None

    def table(self, length: int) -> tuple[Tensor, Tensor]:
        """Each (length or more, head_dim / 2) FP32."""
        if self._table is None or len(self._table[0]) < length:
            positions = torch.arange(length, device=self._inv_freq.device)
            cosine, sine = rotary_table(positions, self._inv_freq)
            self._table = cosine[:, 0].contiguous(), sine[:, 0].contiguous()
        return self._table

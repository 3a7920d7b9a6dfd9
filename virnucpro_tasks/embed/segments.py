"""Where one sequence ends and the next begins in a pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Run:
    """`count` consecutive sequences of `length` tokens each, the first at token `start`."""

    start: int
    count: int
    length: int

    def of(self, packed: Tensor) -> Tensor:
        """The run's part of `packed` (T, ...) as a view (count, length, ...)."""
        return packed[self.start : self.start + self.count * self.length].unflatten(0, (self.count, self.length))


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The sequences of one pack of T tokens.

    `cu_seqlens` (S+1,) int32 and `positions` (T,) int64, counted from 0 in each sequence, are on the device.
    `runs` and `max_seqlen` are known on the host, so that nobody has to read them back from the device.
    """

    cu_seqlens: Tensor
    positions: Tensor
    max_seqlen: int
    runs: tuple[Run, ...]

    @classmethod
    def of(cls, lengths: Sequence[int] | NDArray[np.int64], *, device: torch.device | str = "cpu") -> Segments:
        """Describe consecutive sequences of `lengths` (tokens, >= 1, at least one sequence)."""
        sizes = np.asarray(lengths, dtype=np.int64)
        ends = np.cumsum(sizes)
        cu_seqlens = np.concatenate([[0], ends]).astype(np.int32)
        positions = np.arange(ends[-1], dtype=np.int64) - np.repeat(ends - sizes, sizes)
        runs = []
        start = 0
        for length, group in groupby(sizes.tolist()):
            count = sum(1 for _ in group)
            runs.append(Run(start, count, length))
            start += count * length
        return cls(
            torch.from_numpy(cu_seqlens).to(device),
            torch.from_numpy(positions).to(device),
            int(sizes.max()),
            tuple(runs),
        )

"""The bounds of the sequences in a pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from virnucpro_tasks.embed.transfer import to_device


@dataclass(frozen=True, slots=True)
class Run:
    """`count` consecutive sequences of `length` tokens each, the first at token `start`."""

    start: int
    count: int
    length: int

    def of(self, packed: Tensor) -> Tensor:
        """The run's part of `packed` (T, ...) as a view (count, length, ...)."""
        return packed[self.start : self.start + self.count * self.length].unflatten(0, (self.count, self.length))


class Segments:
    """The sequences of one pack of T tokens.

    `cu_seqlens` (S+1,) int32 is on the device; `max_seqlen` is known on the host, so that it need not be copied back.
    `runs` and `positions` are made on first use: the fused models need neither.
    """

    def __init__(self, sizes: NDArray[np.int64], device: torch.device) -> None:
        self._sizes = sizes
        self._device = device
        self._ends = np.cumsum(sizes)
        self.max_seqlen = int(sizes.max())
        self.cu_seqlens = to_device(np.concatenate([[0], self._ends]).astype(np.int32), device)

    @classmethod
    def of(cls, lengths: Sequence[int] | NDArray[np.int64], *, device: torch.device | str = "cpu") -> Segments:
        """Describe consecutive sequences of `lengths` (tokens, >= 1, at least one sequence)."""
        return cls(np.asarray(lengths, dtype=np.int64), torch.device(device))

    @cached_property
    def positions(self) -> Tensor:
        """(T,) int64 on the device, counted from 0 in each sequence."""
        positions = np.arange(self._ends[-1], dtype=np.int64) - np.repeat(self._ends - self._sizes, self._sizes)
        return to_device(positions, self._device)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The pack as runs of equal length, in order."""
        runs = []
        start = 0
        for length, group in groupby(self._sizes.tolist()):
            count = sum(1 for _ in group)
            runs.append(Run(start, count, length))
            start += count * length
        return tuple(runs)

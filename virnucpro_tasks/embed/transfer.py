"""Asynchronous copies between host and device: queued, and waited for only when their content is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """`array` as a tensor on `device`; to a GPU the copy is queued behind the work that runs there."""
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True, slots=True)
class PendingCopy:
    """A copy of a tensor to the host, which may be under way."""

    host: Tensor
    arrived: torch.cuda.Event | None

    @classmethod
    def of(cls, tensor: Tensor) -> PendingCopy:
        """Queue a copy of `tensor`; returns at once."""
        if not tensor.is_cuda:
            return cls(tensor, None)
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        host.copy_(tensor, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record()
        return cls(host, arrived)

    def numpy(self) -> NDArray[np.float32]:
        """The content, after waiting for the copy."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.host.numpy()

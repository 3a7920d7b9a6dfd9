from __future__ import annotations

import numpy as np
import torch

from virnucpro_tasks.embed.transfer import PendingCopy, to_device


def test_on_the_cpu_nothing_is_copied() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = to_device(array, torch.device("cpu"))
    copy = PendingCopy.of(tensor)
    array[0, 0] = 7
    assert (tensor[0, 0], copy.numpy()[0, 0]) == (7, 7)
    assert copy.arrived is None

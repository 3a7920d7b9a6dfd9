"""AdamW on the processor: the steps of `torch.optim.AdamW` without the compiler of torch, which its class imports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class AdamW:
    """Decoupled weight decay after Adam's step, with the defaults of torch."""

    def __init__(self, parameters: Iterable[torch.Tensor], *, rate: float, decay: float) -> None:
        # Imported here: only fitting needs torch.
        import torch

        self._parameters = list(parameters)
        self._rate, self._decay = rate, decay
        self._means, self._squares = ([torch.zeros_like(one) for one in self._parameters] for _ in range(2))
        self._steps = [torch.tensor(0.0) for _ in self._parameters]

    def step(self, loss: torch.Tensor) -> None:
        """Move the parameters against the gradient of `loss`."""
        import torch
        from torch.optim.adamw import adamw

        gradients = list(torch.autograd.grad(loss, self._parameters))
        with torch.no_grad():
            adamw(
                self._parameters,
                gradients,
                self._means,
                self._squares,
                [],
                self._steps,
                foreach=False,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=self._rate,
                weight_decay=self._decay,
                eps=EPSILON,
                maximize=False,
            )

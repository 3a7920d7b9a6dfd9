from __future__ import annotations

import numpy as np
import torch

from virnucpro_tasks.heads.adamw import AdamW


def test_steps_are_those_of_the_paper_with_the_defaults_of_torch() -> None:
    rate, decay = 0.01, 0.1
    start, target = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.25, 3.0, 2.5])
    parameter = start.clone().requires_grad_()
    optimizer = AdamW([parameter], rate=rate, decay=decay)
    expected, mean, square = start.double().numpy(), np.zeros(3), np.zeros(3)
    for number in range(1, 21):
        optimizer.step(((parameter - target) ** 2).sum())
        gradient = 2 * (expected - target.double().numpy())
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        step = mean / (1 - 0.9**number) / (np.sqrt(square / (1 - 0.999**number)) + 1e-8)
        expected = expected - rate * decay * expected - rate * step
        assert np.allclose(parameter.detach().numpy(), expected, rtol=1e-5, atol=1e-6), number
    assert abs(parameter.detach().numpy() - start.numpy()).min() > 0.01


def test_each_parameter_has_averages_of_its_own() -> None:
    both = [torch.tensor([1.0]).requires_grad_(), torch.tensor([[1.0, 5.0]]).requires_grad_()]
    alone = both[1].detach().clone().requires_grad_()
    together, single = AdamW(both, rate=0.1, decay=0.0), AdamW([alone], rate=0.1, decay=0.0)
    for _ in range(3):
        together.step((both[0] ** 2).sum() + (both[1] ** 3).sum())
        single.step((alone**3).sum())
    assert torch.equal(both[1], alone) and both[0].item() < 1

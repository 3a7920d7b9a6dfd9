from __future__ import annotations

import pytest
import torch

from virnucpro_tasks.embed.alibi import alibi_bias, alibi_slopes


def test_twelve_heads_are_in_the_published_order():
    expected = [2.0**-k for k in range(1, 9)] + [2.0 ** -(k + 0.5) for k in range(4)]
    torch.testing.assert_close(alibi_slopes(12), torch.tensor(expected))


@pytest.mark.parametrize("heads", [1, 2, 8, 16])
def test_powers_of_two_fall_geometrically(heads):
    slopes = alibi_slopes(heads)
    assert slopes.shape == (heads,)
    torch.testing.assert_close(slopes.log2(), -8.0 / heads * torch.arange(1, heads + 1))


def test_the_bias_is_symmetric_and_falls_with_distance():
    bias = alibi_bias(torch.tensor([0.5, 0.25]), 4)
    assert bias.shape == (2, 4, 4)
    assert torch.equal(bias, bias.transpose(1, 2))
    assert bias[0, 1].tolist() == [-0.5, 0.0, -0.5, -1.0]
    assert bias[1, 0].tolist() == [0.0, -0.25, -0.5, -0.75]

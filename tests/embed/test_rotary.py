from __future__ import annotations

import pytest
import torch

from virnucpro_tasks.embed.rotary import apply_rotary, inverse_frequencies, rotary_table


def test_positions_are_turned_as_complex_numbers():
    heads = torch.randn(6, 2, 8, generator=torch.Generator().manual_seed(0))
    positions = torch.tensor([0, 1, 2, 0, 500, 1_023])
    turned = apply_rotary(heads, rotary_table(positions, inverse_frequencies(8)))
    angles = positions[:, None, None].double() * 10_000.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    expected = torch.complex(heads[..., :4].double(), heads[..., 4:].double()) * torch.exp(1j * angles)
    torch.testing.assert_close(turned[..., :4], expected.real.float(), atol=2e-4, rtol=0)
    torch.testing.assert_close(turned[..., 4:], expected.imag.float(), atol=2e-4, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_reduced_precision_is_turned_in_fp32(dtype):
    heads = torch.randn(4, 1, 8, generator=torch.Generator().manual_seed(1)).to(dtype)
    table = rotary_table(torch.tensor([0, 300, 700, 1_000]), inverse_frequencies(8))
    assert table[0].dtype == torch.float32
    turned = apply_rotary(heads, table)
    assert turned.dtype == dtype
    assert torch.equal(turned, apply_rotary(heads.float(), table).to(dtype))

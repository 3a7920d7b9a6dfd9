"""Every installed attention backend against FP32."""

from __future__ import annotations

import pytest
import torch

from virnucpro_tasks.embed.attention import AttentionRequirements, resolve_backend
from virnucpro_tasks.embed.backends import BACKEND_NAMES, FLASH_ATTENTION, SDPA
from virnucpro_tasks.embed.segments import Segments
from virnucpro_tasks.errors import BackendError

pytestmark = pytest.mark.gpu

LENGTHS = [3, 5, 64, 65, 17, 130, 52, 1_024, 300, 128, 192, 1]


@pytest.mark.parametrize("head_dim", [16, 24, 32, 64])
@pytest.mark.parametrize("name", BACKEND_NAMES)
def test_as_in_fp32(cuda: torch.device, name: str, head_dim: int) -> None:
    try:
        attend = resolve_backend(name, cuda, AttentionRequirements(torch.float16, head_dim, biased=False)).attend
    except BackendError:
        assert name == FLASH_ATTENTION, "all others come with torch"
        pytest.skip("flash-attn is not installed")
    segments = Segments.of(LENGTHS, device=cuda)
    generator = torch.Generator(cuda).manual_seed(1)
    parts = torch.randn((3, sum(LENGTHS), 5, head_dim), device=cuda, generator=generator).half()
    exact = resolve_backend(SDPA, cuda).attend(*parts.float(), segments)
    torch.testing.assert_close(attend(*parts, segments).float(), exact, atol=2e-3, rtol=2e-3)

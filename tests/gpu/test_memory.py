"""Small cards, simulated by occupying the memory of a large one; and running out of memory between packs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from virnucpro_tasks.bench import random_esm2
from virnucpro_tasks.embed.budget import LEAST_GPU_TOKENS, MOST_GPU_TOKENS
from virnucpro_tasks.embed.encoder import Encoder
from virnucpro_tasks.embed.engine import fused
from virnucpro_tasks.embed.tokens import FIRST_RESIDUE_ID, RaggedTokens
from virnucpro_tasks.models.sizes import ESM2_NAMES, Esm2Sizes

pytestmark = pytest.mark.gpu

GIGABYTE = 1 << 30


@pytest.fixture
def only(cuda: torch.device) -> Iterator[Callable[[int], None]]:
    """A function that leaves the given number of bytes of the card free."""
    kept: list[torch.Tensor] = []

    def leave(size: int) -> None:
        torch.cuda.empty_cache()
        kept.append(torch.empty(torch.cuda.mem_get_info(cuda)[0] - size, dtype=torch.uint8, device=cuda))

    yield leave
    kept.clear()
    torch.cuda.empty_cache()


def encoder(sizes: Esm2Sizes, device: torch.device, token_budget: int | None) -> Encoder:
    model = fused(random_esm2(sizes, device, torch.float16, "triton"))
    return Encoder("esm2", model, load_fp32=None, device=device, token_budget=token_budget, skip_first=1, skip_last=1)


def proteins(count: int, *, length: int = 168) -> RaggedTokens:
    ids = np.random.default_rng(0).integers(FIRST_RESIDUE_ID + 1, FIRST_RESIDUE_ID + 20, count * length)
    return RaggedTokens(ids.astype(np.int64), np.full(count, length, dtype=np.int64))


@pytest.mark.parametrize("name", ["650M", "3B"])
def test_eight_gigabytes(cuda: torch.device, only: Callable[[int], None], name: str) -> None:
    only(8 * GIGABYTE)
    small = encoder(ESM2_NAMES[name], cuda, None)
    assert LEAST_GPU_TOKENS <= small.token_budget <= MOST_GPU_TOKENS
    vectors, stats = small.encode(proteins(3 * small.token_budget // 168), should_stop=lambda: False)
    assert np.isfinite(vectors).all()
    assert stats.out_of_memory == 0 and stats.packs >= 3


def test_a_pack_that_does_not_fit_is_halved_and_nothing_is_lost(
    cuda: torch.device, only: Callable[[int], None]
) -> None:
    sizes = Esm2Sizes(2, 2_560, 40)
    tokens = proteins(400)
    expected, _ = encoder(sizes, cuda, 8_192).encode(tokens, should_stop=lambda: False)
    large = encoder(sizes, cuda, 65_536)
    torch.cuda.empty_cache()
    only(GIGABYTE)
    found, stats = large.encode(tokens, should_stop=lambda: False)
    assert stats.out_of_memory > 0 and large.token_budget < 65_536
    np.testing.assert_allclose(found, expected, atol=2e-2)
    assert np.isfinite(found).all()

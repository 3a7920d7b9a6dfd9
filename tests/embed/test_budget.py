from __future__ import annotations

import pytest
import torch

from virnucpro_tasks.embed.budget import CPU_TOKENS, LEAST_GPU_TOKENS, MOST_GPU_TOKENS, fitting_tokens, pack_budget
from virnucpro_tasks.errors import BackendError


def test_a_cpu_needs_no_trial() -> None:
    tried: list[int] = []
    assert pack_budget(tried.append, torch.device("cpu")) == CPU_TOKENS
    assert tried == []


@pytest.mark.parametrize(
    ("gigabytes", "tokens"),
    [(80, MOST_GPU_TOKENS), (2.5, MOST_GPU_TOKENS), (1, 15 * LEAST_GPU_TOKENS), (0.1, LEAST_GPU_TOKENS)],
)
def test_what_fits_is_taken_up_to_what_helps(gigabytes: float, tokens: int) -> None:
    assert fitting_tokens(int(gigabytes * 1e9), bytes_a_token=51_200) == tokens


def test_a_full_card_is_refused_with_what_it_would_take() -> None:
    with pytest.raises(BackendError, match=r"0\.0 GB of device memory are free, a pack of 1024 tokens takes 0\.1 GB"):
        fitting_tokens(1_000_000, bytes_a_token=51_200)

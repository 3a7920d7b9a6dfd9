from __future__ import annotations

import pytest
import torch

from virnucpro_tasks.embed.pooling import segment_mean
from virnucpro_tasks.embed.segments import Segments


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 1)])
def test_the_mean_of_each_sequence_alone(first, last):
    lengths = [4, 4, 3, 7, 3]
    states = torch.randn(sum(lengths), 5, generator=torch.Generator().manual_seed(0))
    pooled = segment_mean(states, Segments.of(lengths), skip_first=first, skip_last=last)
    parts = [part[first : len(part) - last].mean(0) for part in states.split(lengths)]
    torch.testing.assert_close(pooled, torch.stack(parts))


def test_half_precision_is_summed_in_fp32():
    states = torch.full((1_000, 1), 100.0, dtype=torch.float16)
    pooled = segment_mean(states, Segments.of([1_000]))
    assert pooled.dtype == torch.float32 and pooled.item() == 100.0


def test_no_more_than_the_first_tokens_enter_the_mean() -> None:
    states = torch.randn(30, 4, generator=torch.Generator().manual_seed(3))
    pooled = segment_mean(states, Segments.of([20, 10]), skip_first=1, skip_last=1, most=9)
    torch.testing.assert_close(pooled, torch.stack([states[1:10].mean(0), states[21:29].mean(0)]))

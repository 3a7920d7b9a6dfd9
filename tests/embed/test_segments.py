from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_tasks.embed.segments import Segments


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_all_fields_describe_the_same_sequences(lengths):
    segments = Segments.of(lengths)
    assert segments.cu_seqlens.dtype == torch.int32
    assert segments.cu_seqlens.diff().tolist() == lengths and segments.cu_seqlens[0] == 0
    assert segments.max_seqlen == max(lengths)
    assert segments.positions.tolist() == [i for length in lengths for i in range(length)]
    assert [run.length for run in segments.runs for _ in range(run.count)] == lengths


def test_a_run_is_a_view_of_its_sequences():
    segments = Segments.of([3, 2, 2, 3])
    packed = torch.arange(20).view(10, 2)
    assert [(run.start, run.count, run.length) for run in segments.runs] == [(0, 1, 3), (3, 2, 2), (7, 1, 3)]
    assert segments.runs[1].of(packed)[:, :, 0].tolist() == [[6, 8], [10, 12]]

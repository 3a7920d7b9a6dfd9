"""Chunk bounds against a table of the original tool and against its rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reads.reference import plain_chunks

from virnucpro_tasks.reads.chunks import all_chunk_bounds, chunk_counts, chunk_starts


def chunk_bounds(length: int, chunk_length: int) -> np.ndarray:
    """Start and end of every chunk of one record, (n, 2)."""
    _, _, starts, ends = all_chunk_bounds(np.array([length], np.int64), chunk_length)
    return np.stack([starts, ends], axis=1)


GOLDEN = [
    (499, 500, [(0, 499)]),
    (500, 500, [(0, 500)]),
    (501, 500, [(0, 500), (250, 501)]),
    (600, 500, [(0, 500), (299, 600)]),
    (750, 500, [(0, 500), (374, 750)]),
    (999, 500, [(0, 500), (499, 999)]),
    (1000, 500, [(0, 500), (500, 1000)]),
    (1001, 500, [(0, 500), (333, 833), (666, 1001)]),
    (1400, 500, [(0, 500), (466, 966), (932, 1400)]),
    (1499, 500, [(0, 500), (499, 999), (999, 1499)]),
    (1501, 500, [(0, 500), (375, 875), (750, 1250), (1125, 1501)]),
    (10, 4, [(0, 4), (3, 7), (6, 10)]),
    (9, 4, [(0, 4), (2, 6), (5, 9)]),
    (11, 4, [(0, 4), (3, 7), (7, 11)]),
    (12, 4, [(0, 4), (4, 8), (8, 12)]),
    (13, 4, [(0, 4), (3, 7), (6, 10), (9, 13)]),
    (21, 10, [(0, 10), (6, 16), (12, 21)]),
    (25, 10, [(0, 10), (8, 18), (16, 25)]),
    (29, 10, [(0, 10), (9, 19), (19, 29)]),
    (301, 300, [(0, 300), (150, 301)]),
    (1000, 300, [(0, 300), (249, 549), (498, 798), (747, 1000)]),
    (1, 500, [(0, 1)]),
]


@pytest.mark.parametrize(("length", "chunk_length", "expected"), GOLDEN)
def test_golden_table(length: int, chunk_length: int, expected: list[tuple[int, int]]) -> None:
    bounds = chunk_bounds(length, chunk_length)
    assert bounds.dtype == np.int64
    assert [tuple(row) for row in bounds.tolist()] == expected


def test_empty_record_has_no_chunk() -> None:
    assert chunk_bounds(0, 500).shape == (0, 2)


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=20), st.integers(1, 700))
def test_many_records_at_once_equal_the_rule(lengths: list[int], chunk_length: int) -> None:
    records, chunks, starts, ends = all_chunk_bounds(np.array(lengths, np.int64), chunk_length)
    expected = [
        (record, chunk, start, end)
        for record, length in enumerate(lengths)
        for chunk, (start, end) in enumerate(plain_chunks(length, chunk_length))
    ]
    found = zip(records.tolist(), chunks.tolist(), starts.tolist(), ends.tolist(), strict=True)
    assert list(found) == expected


@given(st.integers(1, 100_000), st.integers(1, 700))
def test_every_base_is_covered(length: int, chunk_length: int) -> None:
    bounds = chunk_bounds(length, chunk_length)
    assert bounds[0, 0] == 0
    assert bounds[-1, 1] == length
    assert (bounds[1:, 0] <= bounds[:-1, 1]).all()
    assert (bounds[1:, 0] > bounds[:-1, 0]).all()


def test_full_last_chunks_are_rare() -> None:
    lengths = np.arange(501, 5_001)
    chunks = chunk_counts(lengths, 500) - 1
    starts = chunk_starts(lengths, chunks, 500)
    assert int((lengths - starts == 500).sum()) == 219
    assert int((lengths - starts).min()) == 251

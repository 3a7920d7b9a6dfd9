from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virnucpro_tasks.reads.tables import CHUNK_SCHEMA, FRAME_SCHEMA, FrameBatch
from virnucpro_tasks.shards import cut
from virnucpro_tasks.shards.cut import (
    TAIL_PIECES,
    TAIL_SHARDS,
    chunk_tokens,
    cut_shards,
    split_tail,
)
from virnucpro_tasks.shards.plan import FINER_FROM_SHARDS


def batch_of(chunks: list[list[int]], *, first: int = 0) -> FrameBatch:
    """A batch whose chunk k has one frame for every protein length in `chunks[k]`."""
    rows = [
        {"input_ordinal": 0, "record_ordinal": first + k, "record_id": b"r", "record_length": 9, "chunk": 1,
         "start": 0, "end": 9, "frames": len(lengths), "status": "scored", "reason": ""}
        for k, lengths in enumerate(chunks)
    ]  # fmt: skip
    frames = [
        {"record_ordinal": first + k, "chunk": 1, "frame": f, "nucleotides": "A" * (3 * n), "protein": "M" * n}
        for k, lengths in enumerate(chunks)
        for f, n in enumerate(lengths)
    ]
    return FrameBatch(pa.Table.from_pylist(rows, CHUNK_SCHEMA), pa.Table.from_pylist(frames, FRAME_SCHEMA))


def test_tokens_count_the_special_ones() -> None:
    assert chunk_tokens(batch_of([[10, 20], [], [5]])).tolist() == [34, 0, 7]


chunk_lists = st.lists(st.lists(st.integers(1, 60), max_size=6), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(chunks=chunk_lists, budget=st.integers(1, 400), size=st.integers(1, 40))
def test_cuts_lose_nothing_and_do_not_depend_on_batching(chunks: list[list[int]], budget: int, size: int) -> None:
    whole = list(cut_shards([batch_of(chunks)], first_budget=budget))
    parts = [batch_of(chunks[k : k + size], first=k) for k in range(0, len(chunks), size)]
    split = list(cut_shards(parts, first_budget=budget))
    assert [shard.chunks.to_pylist() for shard in whole] == [shard.chunks.to_pylist() for shard in split]
    assert [shard.frames.to_pylist() for shard in whole] == [shard.frames.to_pylist() for shard in split]
    merged = pa.concat_tables([shard.chunks for shard in whole])
    assert merged["record_ordinal"].to_pylist() == list(range(len(chunks)))
    for shard in whole[:-1]:
        tokens = chunk_tokens(shard)
        assert tokens.sum() >= budget
        assert tokens[:-1].sum() < budget
        assert int(np.sum(shard.chunks["frames"].to_numpy())) == shard.frames.num_rows


def test_input_without_frames_is_cut_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "MAX_CHUNK_ROWS", 10)
    shards = list(cut_shards([batch_of([[] for _ in range(25)])], first_budget=1000))
    assert [shard.chunks.num_rows for shard in shards] == [10, 10, 5]


def shards_of(count: int) -> list[FrameBatch]:
    return [batch_of([[10] * 3] * 40, first=40 * number) for number in range(count)]


def chunk_records(shards: Iterable[FrameBatch]) -> list[int]:
    return [row for shard in shards for row in shard.chunks["record_ordinal"].to_pylist()]


def test_the_last_of_many_shards_are_cut_finer_and_nothing_is_lost() -> None:
    shards = shards_of(FINER_FROM_SHARDS)
    cut_finer = list(split_tail(shards))
    whole = FINER_FROM_SHARDS - TAIL_SHARDS
    assert len(cut_finer) == whole + TAIL_SHARDS * TAIL_PIECES
    assert all(before is after for before, after in zip(shards[:whole], cut_finer[:whole], strict=True))
    assert {shard.chunks.num_rows for shard in cut_finer[whole:]} == {10}
    assert chunk_records(cut_finer) == chunk_records(shards)
    assert sum(shard.frames.num_rows for shard in cut_finer) == sum(shard.frames.num_rows for shard in shards)


@pytest.mark.parametrize("count", [0, 1, FINER_FROM_SHARDS - 1])
def test_few_shards_stay_as_they_are(count: int) -> None:
    shards = shards_of(count)
    assert list(split_tail(shards)) == shards


def test_no_shard_waits_for_more_than_the_next_few() -> None:
    taken: list[int] = []

    def taking() -> Iterator[FrameBatch]:
        for number, shard in enumerate(shards_of(FINER_FROM_SHARDS + 8)):
            taken.append(number)
            yield shard

    given = split_tail(taking())
    for number in range(FINER_FROM_SHARDS + 4):
        next(given)
        assert taken[-1] - number <= (0 if number < FINER_FROM_SHARDS - TAIL_SHARDS else TAIL_SHARDS)


def test_shards_without_frames_are_not_lost_at_the_end() -> None:
    shards = [batch_of([[]] * 5, first=5 * number) for number in range(FINER_FROM_SHARDS)]
    assert chunk_records(split_tail(shards)) == chunk_records(shards)

"""Cutting the stream of frames into shards of equal cost."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from virnucpro_tasks.reads.tables import FrameBatch, frame_counts
from virnucpro_tasks.shards.plan import FINER_FROM_SHARDS, MAX_CHUNK_ROWS, SPECIAL_TOKENS, shard_token_budget

TAIL_SHARDS, TAIL_PIECES = 4, 4
"""Quarters suit up to 16 workers; smaller pieces would cost more in pauses than they save."""


def cut_shards(batches: Iterable[FrameBatch], *, first_budget: int) -> Iterator[FrameBatch]:
    """Regroup `batches` into shards, in order; the frames of a chunk stay together.

    A shard is closed by the chunk with which it reaches its token budget (see `shard_token_budget`) or
    MAX_CHUNK_ROWS rows. Where the cuts fall depends on the input alone, not on how it was batched.
    """
    pending: list[FrameBatch] = []
    tokens = rows = number = 0
    for batch in batches:
        cost = np.cumsum(chunk_tokens(batch))
        frame_end = np.cumsum(frame_counts(batch.chunks))
        start = 0
        while start < batch.chunks.num_rows:
            spent = int(cost[start - 1]) if start else 0
            budget = shard_token_budget(number, first_budget=first_budget)
            full = int(np.searchsorted(cost, spent + budget - tokens)) + 1
            end = min(full, start + MAX_CHUNK_ROWS - rows, batch.chunks.num_rows)
            pending.append(_part(batch, frame_end, start, end))
            tokens += int(cost[end - 1]) - spent
            rows += end - start
            if tokens >= budget or rows >= MAX_CHUNK_ROWS:
                yield _joined(pending)
                pending, tokens, rows, number = [], 0, 0, number + 1
            start = end
    if pending:
        yield _joined(pending)


def split_tail(shards: Iterable[FrameBatch]) -> Iterator[FrameBatch]:
    """Cut each of the last TAIL_SHARDS of many shards into TAIL_PIECES of equal cost.

    Workers then finish at nearly the same time: at the end none is idle for longer than a small shard takes. No more
    than TAIL_SHARDS are held in memory.
    """
    held: deque[FrameBatch] = deque()
    number = -1
    for number, shard in enumerate(shards):
        held.append(shard)
        if number < FINER_FROM_SHARDS - TAIL_SHARDS or len(held) > TAIL_SHARDS:
            yield held.popleft()
    for shard in held:
        if number + 1 < FINER_FROM_SHARDS:
            yield shard
        else:
            budget = -(-int(chunk_tokens(shard).sum()) // TAIL_PIECES)
            yield from cut_shards([shard], first_budget=max(1, budget))


def chunk_tokens(batch: FrameBatch) -> np.ndarray:
    """ESM-2 tokens of each chunk row, int64, shape (chunk rows,)."""
    totals = np.concatenate([[0], np.cumsum(frame_tokens(batch.frames))])
    ends = np.cumsum(frame_counts(batch.chunks))
    return np.diff(totals[np.concatenate([[0], ends])])


def frame_tokens(frames: pa.Table) -> np.ndarray:
    """ESM-2 tokens of each row of a frame table, int64, shape (frames,)."""
    return pc.binary_length(frames["protein"]).to_numpy().astype(np.int64) + SPECIAL_TOKENS


def _part(batch: FrameBatch, frame_end: np.ndarray, start: int, end: int) -> FrameBatch:
    first = int(frame_end[start - 1]) if start else 0
    return FrameBatch(
        chunks=batch.chunks.slice(start, end - start),
        frames=batch.frames.slice(first, int(frame_end[end - 1]) - first),
    )


def _joined(parts: list[FrameBatch]) -> FrameBatch:
    return FrameBatch(
        chunks=pa.concat_tables([part.chunks for part in parts]),
        frames=pa.concat_tables([part.frames for part in parts]),
    )

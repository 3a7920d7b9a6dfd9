"""Cuts records into chunks by the rule of the original tool, on whose chunks its classifiers were trained.

For length L and chunk length C: n = ceil(L/C) chunks overlap at n-1 junctions by R = n*C - L bases together. With
q, r = divmod(R, n), the first min(q + r, n-1) junctions overlap by q + 1 bases and the others by q.

Two oddities are kept on purpose: the remainder is divided by the number of chunks, not of junctions, so the overlaps
often add up to less than R and the last chunk is short (251 bases at L = 501, C = 500); and overlaps are uneven, the
larger ones first. Every base is covered. A record of at most C bases is one chunk.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]


def chunk_counts(lengths: Int64Array, chunk_length: int) -> Int64Array:
    """Number of chunks of each record; 0 for an empty one."""
    return -(-lengths // chunk_length)


def chunk_starts(lengths: Int64Array, chunks: Int64Array, chunk_length: int) -> Int64Array:
    """Start of chunk number `chunks` (0-based) of a record of length `lengths` (at least 1), element by element."""
    count = chunk_counts(lengths, chunk_length)
    overlap, remainder = np.divmod(count * chunk_length - lengths, count)
    longer = np.minimum(overlap + remainder, count - 1)
    return chunks * (chunk_length - overlap) - np.minimum(chunks, longer)


def reverse_chunk_bounds(lengths: Int64Array, chunks: Int64Array, chunk_length: int) -> tuple[Int64Array, Int64Array]:
    """The chunk of the reverse complement that lies where chunk number `chunks` (0-based) does, element by element.

    Returns its start and end (exclusive) on the forward strand of a record of length `lengths`: the last chunk of the
    reverse complement lies at the beginning of the record, and so on.
    """
    starts = chunk_starts(lengths, chunk_counts(lengths, chunk_length) - 1 - chunks, chunk_length)
    return np.maximum(lengths - starts - chunk_length, 0), lengths - starts


def all_chunk_bounds(lengths: Int64Array, chunk_length: int) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
    """All chunks of many records, in order: index of the record, 0-based chunk, start, end (exclusive); all int64."""
    counts = chunk_counts(lengths, chunk_length)
    records = np.repeat(np.arange(len(lengths), dtype=np.int64), counts)
    chunks = np.arange(len(records), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    record_lengths = lengths[records]
    starts = chunk_starts(record_lengths, chunks, chunk_length)
    return records, chunks, starts, np.minimum(starts + chunk_length, record_lengths)

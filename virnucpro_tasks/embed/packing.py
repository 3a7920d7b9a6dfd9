"""Distribution of sequences over packs, one per forward pass. Pure NumPy; it depends on the lengths alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_SEQUENCES = 16_384
"""Sequences sorted together. A larger window fills packs better and costs memory for indices only."""


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """Sequences computed together: `indices` (n,) int64 by falling length, then rising index; `tokens` in all."""

    indices: NDArray[np.int64]
    tokens: int


def pack_lengths(
    lengths: Sequence[int] | NDArray[np.int64], *, token_budget: int, window_sequences: int = WINDOW_SEQUENCES
) -> list[Pack]:
    """Distribute sequences of `lengths` (tokens, >= 1) over packs of at most `token_budget` tokens.

    First-fit-decreasing inside a window of `window_sequences`; what would leave a pack part-empty at the end of a
    window is carried into the next one, so only the last pack of all can be. Every index is in exactly one pack.
    A sequence longer than the budget gets a pack of its own. Raises ValueError for a length, budget or window < 1.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if token_budget < 1 or window_sequences < 1 or (sizes.size and sizes.min() < 1):
        raise ValueError("lengths, token_budget and window_sequences must be at least 1")
    packs: list[Pack] = []
    carried = np.empty(0, dtype=np.int64)
    for start in range(0, sizes.size, window_sequences):
        end = min(start + window_sequences, sizes.size)
        pool = np.concatenate([carried, np.arange(start, end, dtype=np.int64)])
        last = end == sizes.size
        pending = int(sizes[pool].sum())
        for pack in _first_fit_decreasing(sizes, pool, token_budget):
            pending -= pack.tokens
            # This window has nothing left to fill the pack with; a later one may have.
            if not last and pending == 0 and pack.tokens < token_budget:
                carried = np.sort(pack.indices)
                break
            packs.append(pack)
        else:
            carried = np.empty(0, dtype=np.int64)
    return packs


def capacity(packs: Sequence[Pack], *, token_budget: int) -> int:
    """Tokens that the packs could hold; a sequence longer than the budget fills its pack."""
    return sum(max(pack.tokens, token_budget) for pack in packs)


def _first_fit_decreasing(sizes: NDArray[np.int64], pool: NDArray[np.int64], budget: int) -> Iterator[Pack]:
    # Filling one pack at a time with the longest sequence that still fits gives the packs of first-fit-decreasing,
    # and whole runs of equal length can be taken at once.
    by_length = pool[np.argsort(sizes[pool], kind="stable")]
    distinct, starts, counts = np.unique(sizes[by_length], return_index=True, return_counts=True)
    lengths, taken, left = distinct.tolist(), starts.tolist(), counts.tolist()
    while lengths:
        room = max(budget, lengths[-1])
        tokens = 0
        parts: list[NDArray[np.int64]] = []
        place = len(lengths) - 1
        while place >= 0:
            length = lengths[place]
            count = min(left[place], room // length)
            parts.append(by_length[taken[place] : taken[place] + count])
            taken[place] += count
            left[place] -= count
            tokens += count * length
            room -= count * length
            if left[place] == 0:
                del lengths[place], taken[place], left[place]
            place = bisect_right(lengths, room, hi=place) - 1
        yield Pack(np.concatenate(parts), tokens)

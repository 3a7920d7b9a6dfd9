"""Python's search for cycles of objects, made rarer where many objects are made and none of them is in a cycle."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 100_000
"""Objects made and not yet freed after which cycles are searched for, in place of Python's 700."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Search for cycles a hundred times less often inside the block, in the whole process.

    Writing tables makes a few objects for each record and frees them with the shard: the search would find nothing.
    It takes eight per cent of the processor time of finishing, as `benchmarks/finishing_outputs.py --searches` shows.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(NEW_OBJECTS, before[0]) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)

from __future__ import annotations

import resource

import pytest

from virnucpro_tasks.system.memory_limit import memory_limit

MEGABYTE = 2**20


def test_more_memory_is_refused_in_the_block_alone() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with memory_limit(64 * MEGABYTE):
        assert len(bytes(MEGABYTE)) == MEGABYTE
        with pytest.raises(MemoryError):
            bytes(256 * MEGABYTE)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert len(bytes(256 * MEGABYTE)) == 256 * MEGABYTE

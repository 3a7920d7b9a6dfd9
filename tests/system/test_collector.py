from __future__ import annotations

import gc

import pytest

from virnucpro_tasks.system.collector import NEW_OBJECTS, rare_collections


def test_the_search_is_rare_inside_the_block_alone() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="stop"), rare_collections():
        assert gc.get_threshold() == (NEW_OBJECTS, *before[1:])
        with rare_collections():
            assert gc.get_threshold()[0] == NEW_OBJECTS
        assert gc.get_threshold()[0] == NEW_OBJECTS
        raise ValueError("stop")
    assert gc.get_threshold() == before


def test_a_process_that_does_not_search_stays_so() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        with rare_collections():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)

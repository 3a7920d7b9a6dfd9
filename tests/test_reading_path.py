"""A shard is followed from its task to its vectors, and finishing to its tables, without going back and forth."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from reading_path import paths_of_tasks

from virnucpro_tasks.broker import EmbeddedBroker

MOST_VISITS = 2
MOST_MODULES = {"shard": 21, "finish": 33}


@pytest.mark.service
def test_no_module_is_visited_more_than_twice(broker: EmbeddedBroker, tmp_path: Path) -> None:
    # What other tests have left in this process would lead through other modules.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        paths = alone.submit(paths_of_tasks, broker.url, tmp_path / "store").result()
    assert set(paths) == set(MOST_MODULES)
    for name, visits in paths.items():
        modules = Counter(visit.module for visit in visits)
        assert len(modules) > 10
        assert {module for module, times in modules.items() if times > MOST_VISITS} == set(), name
        assert len(modules) <= MOST_MODULES[name]

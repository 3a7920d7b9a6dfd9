from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from virnucpro_tasks.lookahead import map_ahead


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 23])
def test_results_are_in_the_order_of_the_items(threads: int, count: int) -> None:
    assert list(map_ahead(lambda item: item * item, range(count), threads=threads)) == [n * n for n in range(count)]


def test_as_many_run_at_once_as_there_are_threads() -> None:
    together = threading.Barrier(3, timeout=30)
    # Each waits for two others: alone none would return.
    assert list(map_ahead(lambda _: together.wait() >= 0, range(6), threads=3)) == [True] * 6


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_no_item_is_taken_long_before_its_turn(threads: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(50):
            taken.append(item)
            yield item

    results = map_ahead(lambda item: item, items(), threads=threads)
    for expected in range(10):
        assert next(results) == expected
        assert len(taken) <= expected + threads
    results.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_comes_in_its_place(threads: int) -> None:
    def function(item: int) -> int:
        if item == 2:
            raise ValueError("the third")
        return item

    results = map_ahead(function, range(10), threads=threads)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(results)

"""A function over many items on several processes, with its results in order."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

from virnucpro_tasks.lifeline import end_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item], *, processes: int) -> Iterator[Result]:
    """`function` of each of `items`, in their order; at most twice `processes` results wait in memory.

    Items and results are pickled; the function goes to a process once, as it starts. The processes end with this one,
    however it ends. An error of `function` is raised in its place, and no item after those under way is begun; so it
    is when the iterator is closed. Raises BrokenProcessPool if a process was killed.
    """
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context(start_method()),
        initializer=_start,
        initargs=(os.getpid(), function),
    ) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(_call, item))
                if len(waiting) == 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def start_method() -> str:
    """`fork`, which takes no time, unless it would copy locks that other threads hold; `spawn` takes a second."""
    alone = sys.platform.startswith("linux") and threading.active_count() == 1
    return "fork" if alone else "spawn"


_function: Callable[[Any], Any] | None = None
"""What a process that `map_ahead` started is there for."""


def _start(parent: int, function: Callable[[Any], Any]) -> None:
    global _function
    end_with_parent(parent)
    _function = function


def _call(item: Any) -> Any:
    assert _function is not None
    return _function(item)

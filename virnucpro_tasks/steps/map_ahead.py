"""A function over many items on several processes, with its results in order."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from typing import TypeVar

from virnucpro_tasks.lifeline import end_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item], *, processes: int) -> Iterator[Result]:
    """`function` of each of `items`, in their order; at most twice `processes` results wait in memory.

    Function, items and results are pickled. The processes end with this one, however it ends.
    An error of `function` is raised in its place, and no item after those under way is begun; so it is when the
    iterator is closed. Raises BrokenProcessPool if a process was killed.
    """
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context(start_method()),
        initializer=partial(end_with_parent, os.getpid()),
    ) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
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

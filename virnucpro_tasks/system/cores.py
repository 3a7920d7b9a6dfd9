"""Limits a command and all processes that it starts to some of the cores of this host."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from virnucpro_tasks.system.host import PROC

WATCH_SECONDS = 0.05
"""Time over which the load of each core is measured."""
_IDLE_FIELDS = (3, 4)
"""Positions of two numbers of a core in /proc/stat: time idle, and idle while waiting for a disk."""


def limit_cores(most: int | None, *, proc: Path = PROC) -> None:
    """Let this process, and all that it starts from now on, run on `most` of the cores that it may use now.

    Libraries then start that many threads, and whatever runs at the same time shares these cores. The ones with the
    least load are taken, so that several commands on one host find different ones. Nothing changes if `most` is None,
    or no less than the cores that affinity and control group allow.
    """
    if most is None or not hasattr(os, "sched_setaffinity"):
        return
    allowed = os.sched_getaffinity(0)
    if most >= len(allowed):
        return
    chosen = _idlest(allowed, most, proc)
    for thread in _threads(proc):
        with suppress(ProcessLookupError):
            os.sched_setaffinity(thread, chosen)


def _idlest(cores: Iterable[int], count: int, proc: Path) -> set[int]:
    before = _busy_ticks(proc)
    time.sleep(WATCH_SECONDS)
    after = _busy_ticks(proc)
    mixed = sorted(cores)
    random.SystemRandom().shuffle(mixed)
    mixed.sort(key=lambda core: after.get(core, 0) - before.get(core, 0))
    return set(mixed[:count])


def _busy_ticks(proc: Path) -> dict[int, int]:
    """Clock ticks in which each core was busy since the host started; empty if that cannot be read."""
    found = {}
    with suppress(OSError, ValueError):
        for line in (proc / "stat").read_text().splitlines():
            name, *numbers = line.split()
            if name.startswith("cpu") and name != "cpu":
                ticks = [int(number) for number in numbers]
                found[int(name.removeprefix("cpu"))] = sum(ticks) - sum(ticks[field] for field in _IDLE_FIELDS)
    return found


def _threads(proc: Path) -> list[int]:
    """All threads of this process: libraries may have started some when they were imported."""
    try:
        return [int(task.name) for task in (proc / "self" / "task").iterdir()]
    except OSError:
        return [0]

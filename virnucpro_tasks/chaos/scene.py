"""The scene of a drill, on which faults are injected, and the shards that they hit."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from virnucpro_tasks.broker import EmbeddedBroker
from virnucpro_tasks.chaos.hosts import Hosts
from virnucpro_tasks.jobs.job import Job

Hit = set[int] | None
"""Numbers of the shards that must be computed again; empty if any progress shows recovery; None: nothing to hit."""


@dataclass(slots=True)
class Scene:
    """The processes, Redis, store and job of a drill. `later` holds what undoes faults, each with its due time."""

    hosts: Hosts
    broker: EmbeddedBroker
    job: Job
    lease_seconds: float
    most_hosts: int
    dice: random.Random
    store: Path
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Schedule `action` in so many seconds."""
        self.later.append((time.monotonic() + seconds, action))

    def catch_up(self, *, all_of_it: bool = False) -> None:
        """Call the scheduled actions that are due, or all."""
        now = time.monotonic()
        due = [entry for entry in self.later if all_of_it or entry[0] <= now]
        self.later = [entry for entry in self.later if entry not in due]
        for _, action in due:
            action()


def strike(scene: Scene, pids: list[int], harm: Callable[[int], bool], computing: Callable[[int], set[int]]) -> Hit:
    """Apply `harm` to a random one of `pids`; returns the shards that the processes `computing(pid)` were computing."""
    if not pids:
        return None
    victim = scene.dice.choice(sorted(pids))
    hit = at_work(scene.job, computing(victim))
    return hit if harm(victim) else None


def at_work(job: Job, pids: set[int]) -> set[int]:
    """Return the shards that these processes have begun and not finished, from the attempts files."""
    hit = set()
    for file in (job.paths.root / "attempts").glob("[0-9]*.jsonl"):
        shard = int(file.stem)
        if job.paths.embedding(shard).exists():
            continue
        with suppress(OSError, ValueError, IndexError, KeyError):
            if json.loads(file.read_text().splitlines()[-1])["pid"] in pids:
                hit.add(shard)
    return hit

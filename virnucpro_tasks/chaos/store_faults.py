"""Faults of the store: damaged files, no room, and a store that is away for a moment."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from virnucpro_tasks.chaos.scene import Hit, Scene, at_work

FULL_SECONDS = 2.0
FULL_BYTES = 1_000
"""In a "full" store files up to this size can still be written: records of attempts, but no embedding."""

AWAY_SECONDS = 2.0
TRYING_SECONDS = 5.0
"""A host that starts tries its store, in a folder that it removes within this time."""


def flip_bit(scene: Scene) -> Hit:
    """Flip a bit of a finished embedding."""

    def flip(content: bytearray) -> bytearray:
        content[scene.dice.randrange(len(content))] ^= 1 << scene.dice.randrange(8)
        return content

    return _damage(scene, flip)


def truncate(scene: Scene) -> Hit:
    """Truncate a finished embedding."""
    return _damage(scene, lambda content: content[: scene.dice.randrange(len(content))])


def fill_store(scene: Scene) -> Hit:
    """Let no embedding be written for a while: limits the file size (RLIMIT_FSIZE) of all that compute."""
    limited = scene.hosts.computing()
    for pid in limited:
        _limit_files(pid, FULL_BYTES)
        scene.after(FULL_SECONDS, lambda pid=pid: _limit_files(pid, resource.RLIM_INFINITY))  # type: ignore[misc]
    return set() if limited else None


def lose_store(scene: Scene) -> Hit:
    """Take the store away from all hosts for AWAY_SECONDS, as when the server of its file system restarts.

    Returns when it is back: the drill itself looks at it, too.
    """
    hit = at_work(scene.job, set(scene.hosts.computing()))
    away = scene.store.with_name(f"{scene.store.name}-away")
    scene.store.rename(away)
    try:
        time.sleep(AWAY_SECONDS)
    finally:
        _put_back(away, scene.store)
    return hit


def _put_back(away: Path, store: Path) -> None:
    """Rename `away` to `store`. Raises OSError if a process has written there, other than to try whether it can."""
    deadline = time.monotonic() + TRYING_SECONDS
    while True:
        try:
            away.rename(store)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _damage(scene: Scene, change: Callable[[bytearray], bytearray]) -> Hit:
    # Not once finishing has begun: checksums are checked at its start.
    job = scene.job
    files = sorted(
        file for kind in (job.paths.embeddings, job.paths.kept_scores) for file in kind.glob("[0-9]*.safetensors")
    )
    if not files or job.paths.results.exists():
        return None
    victim = scene.dice.choice(files)
    try:
        damaged = change(bytearray(victim.read_bytes()))
    except FileNotFoundError:
        return None
    _overwrite(victim, bytes(damaged))
    return set()


def _overwrite(file: Path, content: bytes) -> None:
    with file.open("r+b") as handle:
        handle.truncate(0)
        handle.write(content)


def _limit_files(pid: int, limit: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, hard))

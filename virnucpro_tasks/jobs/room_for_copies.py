"""Refuses inputs that would have to be copied into a store without the room for them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from virnucpro_tasks.errors import StoreError, size_text
from virnucpro_tasks.system.file_operations import persistently

ADVICE = "'virnucpro prune' removes old jobs; divide the input, or repeat the command with --anyway"


def require_room_for_copies(store: Path, inputs: Sequence[Path]) -> None:
    """Raise StoreError if `store` has less room than the inputs take that must be copied into it.

    Those on its own file system are linked; what cannot be asked, as standard input, is left out.
    """
    place = store.absolute()
    while not persistently(place.exists):
        place = place.parent
    device = persistently(place.stat).st_dev
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    size = sum(facts.st_size for path in inputs if (facts := _facts(path)) is not None and facts.st_dev != device)
    if found.f_blocks and free < size:
        raise StoreError(
            f"the store {store} has {size_text(free)} free, and the inputs, which are copied into it, have "
            f"{size_text(size)}",
            hint=f"{ADVICE}; inputs on the file system of the store are not copied",
        )


def _facts(path: Path) -> os.stat_result | None:
    try:
        return persistently(path.stat) if persistently(path.is_file) else None
    except OSError:
        return None

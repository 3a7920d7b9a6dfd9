"""A fuzzing target, and the folder it writes to."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from virnucpro_tasks.errors import VirnucproError


@dataclass(frozen=True)
class Target:
    """A function `run` that reads bytes made by others; `seeds` are valid inputs to start from."""

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def survives(target: Target, data: bytes) -> bool:
    """Whether `data` was accepted; False if a VirnucproError refused it. Other exceptions are raised."""
    try:
        target.run(data)
    except VirnucproError as error:
        assert all(letter.isprintable() for letter in str(error)), f"not printable: {str(error)!r}"
        return False
    return True


@cache
def folder() -> Path:
    """The folder for files of this process, in memory if there is /dev/shm."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="virnucpro-fuzz-", dir=memory if memory.is_dir() else None))


def written(data: bytes, name: str) -> Path:
    """Write `data` to a file `name` in `folder`."""
    file = folder() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def json_bytes(content: object) -> bytes:
    return json.dumps(content).encode()

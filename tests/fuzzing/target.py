"""What a target is, and where it writes."""

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
    """A way in for bytes: `run` takes them, `seeds` are good ones to begin with."""

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def survives(target: Target, data: bytes) -> bool:
    """Whether `data` was taken (True) or refused as it should be (False). Anything else comes through."""
    try:
        target.run(data)
    except VirnucproError as error:
        assert all(letter.isprintable() for letter in str(error)), f"not printable: {str(error)!r}"
        return False
    return True


@cache
def folder() -> Path:
    """Where the files of this process are written; in memory where there is such a place."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="virnucpro-fuzz-", dir=memory if memory.is_dir() else None))


def written(data: bytes, name: str) -> Path:
    """A file of `data` in `folder`."""
    file = folder() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def json_bytes(content: object) -> bytes:
    return json.dumps(content).encode()

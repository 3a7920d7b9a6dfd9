"""JSON files that tell whether they are what was written, and whether their fields are of the right kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from virnucpro_tasks.atomic import write_json
from virnucpro_tasks.errors import DamagedError

SEAL = "sha256"
"""The field that holds the digest of all others."""

T = TypeVar("T")


def seal_of(content: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the fields of `content` as canonical JSON, whatever the layout of their file."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write the fields `content`, and their seal, as JSON atomically."""
    write_json(path, {**content, SEAL: seal_of(content)})


def read_sealed(path: Path) -> dict[str, Any]:
    """The fields of a file that `write_sealed` wrote. One without a seal, as written before there were any, is taken.

    Raises FileNotFoundError; DamagedError if it is no JSON object or was changed.
    """
    content = read_object(path)
    if SEAL in content and content.pop(SEAL) != seal_of(content):
        raise DamagedError(path)
    return content


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises FileNotFoundError; DamagedError if it holds anything else."""
    try:
        content = json.loads(path.read_bytes())
    # Nesting without end exhausts the parser's stack.
    except (ValueError, RecursionError):
        raise DamagedError(path) from None
    if not isinstance(content, dict):
        raise DamagedError(path)
    return content


def typed(kind: type[T], fields: Mapping[str, Any]) -> T:
    """The dataclass `kind` made of `fields`. Raises TypeError if one is missing, unknown or of another type."""
    hashable: Any = kind
    for name, wanted in _plain_types(hashable):
        if name in fields and type(fields[name]) is not wanted:
            raise TypeError(f"{name} is no {wanted.__name__}")
    return kind(**fields)


@cache
def _plain_types(kind: type) -> tuple[tuple[str, type], ...]:
    return tuple((name, wanted) for name, wanted in get_type_hints(kind).items() if isinstance(wanted, type))

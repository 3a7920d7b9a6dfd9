"""Reading JSON files that may come from anywhere: their size is bounded, their content checked against a Struct."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.filekind import open_file

MAX_BYTES = 64 << 20
"""More than any tokenizer or index of weights has."""

T = TypeVar("T")


def read_limited(path: Path, *, most_bytes: int, hint: str) -> bytes:
    """The bytes of `path`. Raises BundleError with `hint` if it cannot be read, or is larger than `most_bytes`."""
    with open_file(path) as handle:
        try:
            content = handle.read(most_bytes + 1)
        except OSError as error:
            raise BundleError(error.strerror or "cannot be read", path=path, hint=hint) from None
    if len(content) > most_bytes:
        raise BundleError(f"it is larger than {most_bytes >> 20} MiB", path=path, hint=hint)
    return content


def read_json(path: Path, *, hint: str) -> Any:
    """The content of `path`. Raises BundleError with `hint` if it is larger than MAX_BYTES or not JSON."""
    content = read_limited(path, most_bytes=MAX_BYTES, hint=hint)
    try:
        return json.loads(content)
    # Nesting without end exhausts the parser's stack.
    except (ValueError, RecursionError) as error:
        raise BundleError(f"it is not JSON ({error})", path=path, hint=hint) from None


def read_struct(path: Path, kind: type[T], *, hint: str) -> T:
    """The content of `path` as a `kind`. Raises BundleError as `read_json` and `checked` do."""
    return checked(read_json(path, hint=hint), kind, path=path, hint=hint)


def checked(content: Any, kind: type[T], *, path: Path, hint: str) -> T:
    """Convert parsed JSON to a `kind`, types checked strictly. Raises BundleError naming the entry at fault."""
    try:
        return msgspec.convert(content, kind)
    # An entry's name may be a lone surrogate, which has no UTF-8 form.
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        reason = str(error)
        raise BundleError(reason[0].lower() + reason[1:], path=path, hint=hint) from None

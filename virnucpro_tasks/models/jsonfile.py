"""JSON files that may come from anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.filekind import open_file

MAX_BYTES = 64 << 20
"""More than any tokenizer or index has; what is larger is no such file."""


def read_json(path: Path, *, hint: str) -> Any:
    """The content of `path`. Raises BundleError with `hint` if it is larger than MAX_BYTES or not JSON."""
    with open_file(path) as handle:
        try:
            content = handle.read(MAX_BYTES + 1)
        except OSError as error:
            raise BundleError(error.strerror or "cannot be read", path=path, hint=hint) from None
    if len(content) > MAX_BYTES:
        raise BundleError(f"it is larger than {MAX_BYTES >> 20} MiB", path=path, hint=hint)
    try:
        return json.loads(content)
    # Nesting without end exhausts the parser's stack.
    except (ValueError, RecursionError) as error:
        raise BundleError(f"it is not JSON ({error})", path=path, hint=hint) from None

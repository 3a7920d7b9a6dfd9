"""The name of a store, which is the same on every host, wherever it is mounted."""

from __future__ import annotations

import errno
import os
import re
import secrets
from pathlib import Path

from virnucpro_tasks.atomic import sync_directory
from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.jobs.job import not_taken
from virnucpro_tasks.paths import store_id_file

ID_BYTES = 10
_ID = re.compile(rf"[0-9a-f]{{{2 * ID_BYTES}}}")
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
"""What file systems say that have no hard links."""


def store_id(store: Path) -> str:
    """The id of `store`, 20 hexadecimal digits; the first who asks makes the folder and the id.

    Raises StoreError if it is damaged, or can be neither read nor written.
    """
    file = store_id_file(store)
    try:
        if not file.exists():
            _make(file)
        found = file.read_text(errors="replace").strip()
    except OSError as error:
        raise not_taken(error, file) from error
    if not _ID.fullmatch(found):
        raise StoreError(
            f"the id of the store is damaged: {file}",
            hint="remove it, and virnucpro.store in Redis: both are made again",
        )
    return found


def _make(file: Path) -> None:
    """Write a new id unless somebody else is faster; whoever reads the file finds all of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x") as handle:
            handle.write(f"{secrets.token_hex(ID_BYTES)}\n")
            handle.flush()
            os.fsync(handle.fileno())
        try:
            os.link(temporary, file)
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            temporary.rename(file)
        sync_directory(file.parent)
    finally:
        temporary.unlink(missing_ok=True)

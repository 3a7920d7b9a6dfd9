"""The id of a store: it identifies a store on every host, wherever it is mounted."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import suppress
from pathlib import Path

from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.paths import store_id_file
from virnucpro_tasks.system.file_operations import is_there, make_folder, read_bytes
from virnucpro_tasks.system.files import store_write_error, write_once

ID_BYTES = 10
_ID = re.compile(rf"[0-9a-f]{{{2 * ID_BYTES}}}")

WRITING_SECONDS = 1.0
"""An id that is read while another process is writing it, where there are no hard links, is read again for so long."""


def store_id(store: Path) -> str:
    """The id of `store`, 20 hexadecimal digits; folder and id are created if they do not exist.

    Raises StoreError if the id is damaged, or can be neither read nor written.
    """
    file = store_id_file(store)
    try:
        if not is_there(file):
            make_folder(file.parent)
            write_once(file, f"{secrets.token_hex(ID_BYTES)}\n".encode())
            with suppress(OSError):
                # No secret: whoever may enter the store compares it, whatever the umask of the first one was.
                file.chmod(file.stat().st_mode | file.parent.stat().st_mode & 0o044)
        found = _read(file)
    except OSError as error:
        raise store_write_error(error, file) from error
    if not _ID.fullmatch(found):
        raise StoreError(
            f"the id of the store is damaged: {file}",
            hint="remove it, and virnucpro.store in Redis: both are made again",
        )
    return found


def _read(file: Path) -> str:
    """The content of `file`, once that is as long as an id or WRITING_SECONDS have passed."""
    end = time.monotonic() + WRITING_SECONDS
    while len(found := read_bytes(file)) < 2 * ID_BYTES and time.monotonic() < end:
        time.sleep(0.05)
    return found.decode(errors="replace").strip()

"""Files that appear complete or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
"""What file systems say that have no hard links."""


@contextmanager
def atomic_path(final: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `final`; on success fsync it and rename it to `final`.

    One that is not `durable` is left to the system to write out: if the host crashes before, `final` may be empty.
    The caller writes and closes the temporary file, which is there and empty, or puts another in its place. Its mode is
    what the umask makes of 0666. On an exception it is removed and `final` is untouched. Two writers of one name are
    harmless: the last rename wins.
    """
    temporary = _beside(final)
    try:
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        yield temporary
        with temporary.open("rb+") as handle:
            # safetensors puts a file there that only its owner may read; others of a group go on with the job.
            os.fchmod(handle.fileno(), stat.S_IMODE(mode))
            if durable:
                os.fsync(handle.fileno())
        temporary.replace(final)
        if durable:
            sync(final.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(final: Path, content: bytes) -> None:
    """Write `content` to `final` atomically."""
    with atomic_path(final) as temporary:
        temporary.write_bytes(content)


def write_json(final: Path, content: Any) -> None:
    """Write `content` as key-sorted, indented JSON to `final` atomically."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    # Bytes of a file name that are no UTF-8 are lone surrogates here; their backslash form is what JSON calls them.
    write_bytes(final, text.encode(errors="backslashreplace"))


def write_once(final: Path, content: bytes) -> None:
    """Write `content` to `final` unless it is there; of several writers at once one wins, and none replaces another.

    On a file system without hard links the last one wins.
    """
    temporary = _beside(final)
    try:
        with temporary.open("xb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        try:
            os.link(temporary, final)
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            temporary.replace(final)
        sync(final.parent)
    finally:
        temporary.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a second name of the file `source`, or a copy of it on another file system."""
    target.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _beside(final: Path) -> Path:
    return final.with_name(f".{final.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


def sync(path: Path) -> None:
    """Make the content of a file durable, or the names in a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files that appear complete or not at all, JSON files with a checksum, and the one place where OSError is translated.

Everything that a job keeps on disk is written through this module. A file under its final name is complete; a JSON file
tells whether it was changed since; an error of the file system that is not the job's fault becomes a StoreError.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from safetensors import SafetensorError

from virnucpro_tasks.errors import DamagedError, StoreError
from virnucpro_tasks.owners import temporary_name

READ_BLOCK_BYTES = 2**20

CHECKSUM = "sha256"
"""The field of a checked JSON file that holds the checksum of all others."""

STORE_ERROR_NUMBERS = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
        *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EMFILE, errno.ENFILE),
    }
)
"""Errors that say nothing against a job: a full, read-only or broken file system, missing rights."""

STORE_HINT = "make room, or mount it writable; then 'virnucpro resume' goes on"

_HARD_LINKS_UNSUPPORTED = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
_RUST_ERROR_NUMBER = re.compile(r"os error (\d+)")
"""safetensors raises its own exception, with the number of the system's error in the text."""

T = TypeVar("T")


@contextmanager
def atomic_path(final: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `final`; on success fsync it and rename it to `final`.

    With `durable=False` nothing is synced: if the host crashes soon after, `final` may be empty. The caller writes and
    closes the temporary file, which exists and is empty, or replaces it. The mode of `final` is 0666 less the umask.
    On an exception the temporary file is removed and `final` is untouched. With two writers the last rename wins.
    """
    temporary = _temporary_beside(final)
    try:
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        yield temporary
        with temporary.open("rb+") as handle:
            # safetensors creates files that only their owner may read; other users of the group go on with the job.
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
    # File names that are not UTF-8 contain lone surrogates; their backslash form is valid JSON.
    write_bytes(final, text.encode(errors="backslashreplace"))


def write_once(final: Path, content: bytes) -> None:
    """Write `content` to `final` unless it exists; of several writers at once exactly one succeeds.

    On a file system without hard links the last one wins.
    """
    temporary = _temporary_beside(final)
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
            if error.errno not in _HARD_LINKS_UNSUPPORTED:
                raise
            temporary.replace(final)
        sync(final.parent)
    finally:
        temporary.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a hard link to the file `source`, or a copy of it on another file system."""
    target.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def sync(path: Path) -> None:
    """Fsync a file, or a directory and so the names in it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file. Raises OSError."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def file_matches(path: Path, sha256: str) -> bool:
    """Whether a file exists and has this SHA-256 (hex)."""
    try:
        return file_sha256(path) == sha256
    except FileNotFoundError:
        return False


def checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of `content` as canonical JSON, independent of the layout of its file."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_checked(path: Path, content: msgspec.Struct) -> None:
    """Write a Struct and the checksum of its fields as JSON atomically."""
    fields = msgspec.to_builtins(content)
    write_json(path, fields | {CHECKSUM: checksum(fields)})


def read_checked(path: Path, kind: type[T]) -> T:
    """Read what `write_checked` wrote, as a `kind`. A file without a checksum, of an older version, is accepted.

    Raises FileNotFoundError; DamagedError if the file is not a JSON object, was changed or does not fit `kind`.
    """
    content = read_object(path)
    if CHECKSUM in content and content.pop(CHECKSUM) != checksum(content):
        raise DamagedError(path)
    return decode(content, kind, path=path)


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises FileNotFoundError; DamagedError if the file holds anything else."""
    try:
        content = json.loads(path.read_bytes())
    # Deep nesting exhausts the parser's stack.
    except (ValueError, RecursionError):
        raise DamagedError(path) from None
    if not isinstance(content, dict):
        raise DamagedError(path)
    return content


def decode(content: Any, kind: type[T], *, path: Path) -> T:
    """Convert parsed JSON to a `kind`, types checked strictly. Raises DamagedError naming `path`."""
    try:
        return msgspec.convert(content, kind)
    # An entry's name may be a lone surrogate, which has no UTF-8 form.
    except (msgspec.ValidationError, UnicodeEncodeError):
        raise DamagedError(path) from None


def as_store_error(error: BaseException) -> StoreError | None:
    """`error` as a StoreError if the file system is at fault (STORE_ERROR_NUMBERS), otherwise None."""
    if isinstance(error, StoreError):
        return error
    number = getattr(error, "errno", None)
    if isinstance(error, SafetensorError) and (found := _RUST_ERROR_NUMBER.search(str(error))):
        number = int(found[1])
    if not isinstance(error, OSError | SafetensorError) or number not in STORE_ERROR_NUMBERS:
        return None
    path = getattr(error, "filename", None)
    named = f" ({path})" if path else ""
    return StoreError(f"the store fails: {os.strerror(number)}{named}", hint=STORE_HINT)


@contextmanager
def raising_store_errors() -> Iterator[None]:
    """Raise errors of the file system as StoreError and all others unchanged."""
    try:
        yield
    except Exception as error:
        if (store_error := as_store_error(error)) is not None:
            raise store_error from error
        raise


def store_write_error(error: OSError, place: Path) -> StoreError:
    """The error of a client to which the store refuses to write `place`."""
    return StoreError(
        f"{error.filename or place}: {error.strerror or error}: the store does not take the job",
        hint="make room, or mount it writable, and submit again",
    )


def _temporary_beside(final: Path) -> Path:
    return final.with_name(temporary_name(final.name))

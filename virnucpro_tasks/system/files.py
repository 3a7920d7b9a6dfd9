"""Files that appear complete or not at all, JSON files with a checksum, and the one place where OSError is translated.

Everything that a job keeps on disk is written through this module. A file under its final name is complete; a JSON file
tells whether it was changed since; an error of the file system that is not the job's fault becomes a StoreError.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from safetensors import SafetensorError

from virnucpro_tasks.errors import DamagedError, StoreError
from virnucpro_tasks.system.causes import cause_of_words
from virnucpro_tasks.system.file_errors import PASSING_ERROR_NUMBERS, STORE_ERROR_NUMBERS, cause_of, error_number
from virnucpro_tasks.system.file_operations import (
    by_name,
    create_empty,
    fsync,
    persistently,
    publish_once,
    read_bytes,
    rename_new,
    rename_over,
    set_mode,
    sync,
    temporary_beside,
)

READ_BLOCK_BYTES = 2**20

CHECKSUM = "sha256"
"""The field of a checked JSON file that holds the checksum of all others."""


NO_THREAD = "can't start new thread"
"""Message of the RuntimeError, which has no number, that Python raises where no more threads are allowed."""

T = TypeVar("T")


@contextmanager
def atomic_path(final: Path, *, durable: bool = True, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `final`; on success fsync it and rename it to `final`.

    With `durable=False` nothing is synced: if the host crashes soon after, `final` may be empty. The caller writes and
    closes the temporary file, which exists and is empty, or replaces it. The mode of `final` is 0666 less the umask.
    On an exception the temporary file is removed and `final` is untouched. With two writers the last rename wins;
    without `replace` the first, and the other gets FileExistsError.
    """
    temporary = temporary_beside(final)
    try:
        create_empty(temporary)
        mode = persistently(temporary.stat).st_mode
        yield temporary
        with persistently(lambda: temporary.open("rb+")) as handle:
            # safetensors creates files that only their owner may read; other users of the group go on with the job.
            set_mode(handle.fileno(), stat.S_IMODE(mode))
            if durable:
                fsync(handle.fileno())
        if replace:
            rename_over(temporary, final)
        else:
            rename_new(temporary, final)
        if durable:
            sync(final.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(final: Path, content: bytes) -> None:
    """Write `content` to `final` atomically."""
    with atomic_path(final) as temporary:
        persistently(lambda: temporary.write_bytes(content))


def write_json(final: Path, content: Any) -> None:
    """Write `content` as key-sorted, indented JSON to `final` atomically."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    # File names that are not UTF-8 contain lone surrogates; their backslash form is valid JSON.
    write_bytes(final, text.encode(errors="backslashreplace"))


def write_once(final: Path, content: bytes) -> None:
    """Write `content` to `final` unless it exists; of several writers at once one succeeds (`publish_once`)."""
    temporary = temporary_beside(final)
    try:
        create_empty(temporary)
        with persistently(lambda: temporary.open("wb")) as handle:
            handle.write(content)
            handle.flush()
            fsync(handle.fileno())
        publish_once(temporary, final)
        sync(final.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file. Raises OSError."""

    def digest() -> str:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()

    return by_name(digest, path)


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
        content = json.loads(read_bytes(path))
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
    """`error` as a StoreError if the file system or a limit of the host is at fault, otherwise None.

    Those are the STORE_ERROR_NUMBERS, and the refusal of a thread.
    """
    if isinstance(error, StoreError):
        return error
    if isinstance(error, RuntimeError) and NO_THREAD in str(error):
        limit = cause_of_words(NO_THREAD)
        return StoreError(limit.why, hint=limit.remedy)
    number = error_number(error) if isinstance(error, OSError | SafetensorError) else None
    if number not in STORE_ERROR_NUMBERS:
        return None
    cause = cause_of(error)
    path = getattr(error, "filename", None)
    named = f" ({path})" if path else ""
    may_pass = number in PASSING_ERROR_NUMBERS
    return StoreError(f"the store fails: {cause.words}{named}", hint=cause.advice, may_pass=may_pass)


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
    cause = cause_of(error, place)
    return StoreError(
        f"{error.filename or place}: {cause.words}: the store does not take the job",
        hint=f"{cause.advice}, and repeat the command" if cause.advice else "",
    )

"""System calls on files that do without what a file system lacks, and ask again where its answer may be wrong.

Not needed are: fsync, changes of modes, hard links, exclusive creation, renaming over a file that exists. A network
file system may call a file missing that another host has just made, or have lost the handle of one that is there.
"""

from __future__ import annotations

import mmap
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import (
    EACCES,
    EAGAIN,
    EBADF,
    EBUSY,
    EEXIST,
    EINTR,
    EINVAL,
    EISDIR,
    ENODEV,
    ENOSYS,
    ENOTSUP,
    ENOTTY,
    EOPNOTSUPP,
    EPERM,
    ESTALE,
    ETXTBSY,
)
from pathlib import Path
from typing import BinaryIO, TypeVar

from virnucpro_tasks.system.file_errors import error_number
from virnucpro_tasks.system.owners import temporary_name

NOT_SUPPORTED = frozenset({EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP, ENOTTY})
"""Errors with which file systems refuse an operation that they do not have."""

NO_MMAP = NOT_SUPPORTED | {ENODEV}

_NO_FSYNC = NOT_SUPPORTED | {EBADF}
"""Some sync only what is open for writing."""

_NO_OPEN_FOLDER = NOT_SUPPORTED | {EACCES, EPERM, EISDIR}

_PASSING = frozenset({ESTALE, EBUSY, ETXTBSY, EAGAIN, EINTR})
COPY_BLOCK_BYTES = 2**20
PAUSES_SECONDS = (0.0, 0.05, 0.2, 0.75)
"""Pauses before the further tries of an operation that failed for a reason that may pass."""

T = TypeVar("T")


def persistently(operation: Callable[[], T]) -> T:
    """Call `operation`; after a stale handle, or while another program has the file, again after each of the pauses."""
    for pause_seconds in PAUSES_SECONDS:
        try:
            return operation()
        except Exception as error:
            if error_number(error) not in _PASSING:
                raise
        time.sleep(pause_seconds)
    return operation()


def by_name(operation: Callable[[], T], path: Path) -> T:
    """Call `operation`, which opens `path`, as `persistently` does, and if the file is missing, once more.

    The folder is read before: then a network file system asks its server which files are there.
    """
    try:
        return persistently(operation)
    except FileNotFoundError:
        read_anew(path.parent)
        return persistently(operation)


def read_anew(folder: Path) -> None:
    """Have the file system look into `folder`, if it is there, instead of answering from what it remembers."""
    with suppress(OSError), os.scandir(folder) as entries:
        next(entries, None)


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises FileNotFoundError if it is missing, also when asked again."""
    return by_name(path.read_bytes, path)


def exists(path: Path) -> bool:
    """Whether `path` exists, as the file system says at once. Raises OSError if it cannot tell."""
    try:
        persistently(path.stat)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def is_there(path: Path) -> bool:
    """Whether `path` exists; where it seems not to, it is opened by name. Raises OSError if that cannot be told."""
    if exists(path):
        return True
    try:
        os.close(by_name(lambda: os.open(path, os.O_RDONLY | os.O_NONBLOCK), path))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def temporary_beside(final: Path) -> Path:
    """A new name for a temporary file or folder beside `final`, which begins with a dot and is never too long."""
    return final.with_name(temporary_name(final.name))


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there. Raises OSError."""
    persistently(lambda: path.mkdir(parents=True, exist_ok=True))


def make_subfolder(path: Path) -> None:
    """Make a folder unless it is there; the one above it has to be. Raises OSError."""
    persistently(lambda: path.mkdir(exist_ok=True))


def create_empty(path: Path) -> None:
    """Create a new empty file; its folder is made anew if that alone is missing. Raises OSError."""
    try:
        persistently(lambda: path.touch(exist_ok=False))
    except FileNotFoundError:
        path.parent.mkdir(exist_ok=True)
        path.touch(exist_ok=False)
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        path.touch()


def open_to_append(path: Path) -> BinaryIO:
    """Open a file at its end, for writing; its folder is made anew if that alone is missing. Raises OSError."""
    try:
        return persistently(lambda: path.open("ab"))
    except FileNotFoundError:
        path.parent.mkdir(exist_ok=True)
        return path.open("ab")
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
    # A file system that cannot append writes at a position.
    persistently(path.touch)
    handle = persistently(lambda: path.open("r+b"))
    handle.seek(0, os.SEEK_END)
    return handle


def fsync(descriptor: int) -> None:
    """Fsync an open file or folder, if the file system has that. Raises OSError for content that may be lost."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise


def sync(path: Path) -> None:
    """Fsync a file, or a folder and so the names in it, as far as the file system does that."""
    try:
        descriptor = by_name(lambda: os.open(path, os.O_RDONLY), path)
    except OSError as error:
        if error.errno in _NO_OPEN_FOLDER and path.is_dir():
            return
        raise
    try:
        fsync(descriptor)
    finally:
        os.close(descriptor)


def set_mode(descriptor: int, mode: int) -> None:
    """Give an open file the permissions `mode` unless it has them; a file system that refuses leaves them as is."""
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
        with suppress(OSError):
            os.fchmod(descriptor, mode)


def rename_over(source: Path, final: Path) -> None:
    """Rename a file to `final`, which is replaced if it exists."""
    before = persistently(source.stat)
    try:
        persistently(lambda: source.replace(final))
    except FileExistsError:
        final.unlink(missing_ok=True)
        source.replace(final)
    except FileNotFoundError:
        # The answer of the file server was lost; it has renamed the file and was asked a second time.
        if not _is_same(before, final):
            raise


def rename_folder(source: Path, final: Path) -> None:
    """Rename a folder to `final`, which does not exist. Raises OSError."""
    try:
        persistently(lambda: source.rename(final))
    except FileNotFoundError:
        # As for files: the answer was lost.
        if exists(source) or not is_there(final):
            raise


def _is_same(before: os.stat_result, final: Path) -> bool:
    try:
        now = by_name(final.stat, final)
    except OSError:
        return False
    return now.st_ino == before.st_ino or (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def rename_new(source: Path, final: Path) -> None:
    """Give a file the name `final`; the old name is left for the caller to remove. Raises FileExistsError.

    By a hard link, which never replaces a file; where there are none, by renaming after a look.
    """
    try:
        os.link(source, final)
    except FileExistsError:
        # NFS says so too if it did it, and its answer was lost.
        if not (persistently(lambda: final.lstat()).st_ino == source.lstat().st_ino and source.lstat().st_nlink > 1):
            raise
    except OSError:
        if os.path.lexists(final):
            raise FileExistsError(EEXIST, os.strerror(EEXIST), str(final)) from None
        rename_over(source, final)


def publish_once(source: Path, final: Path) -> None:
    """Give the content of `source` the name `final` unless that exists.

    By a hard link, so that `final` is never incomplete; where there are none, by exclusive creation, so that a reader
    may find the beginning of it; where that is missing too, by renaming, and the last one wins.
    """
    try:
        os.link(source, final)
    except FileExistsError:
        return
    # If it is not the link that is refused, creating the file tells why.
    except OSError:
        _create_once(source, final)


def _create_once(source: Path, final: Path) -> None:
    try:
        handle = persistently(lambda: final.open("xb"))
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        rename_over(source, final)
        return
    try:
        with handle:
            handle.write(read_bytes(source))
            handle.flush()
            fsync(handle.fileno())
    except BaseException:
        final.unlink(missing_ok=True)
        raise


def can_share_memory(folder: Path) -> bool:
    """Whether processes can share memory in files of `folder`."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(mmap.PAGESIZE))
            file.flush()
            mmap.mmap(file.fileno(), mmap.PAGESIZE).close()
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def utf8_path(file: Path) -> Iterator[Path]:
    """Yield `file`, or if a folder above it has a name that is no UTF-8, a path through its open folder.

    Libraries that are not written in Python take no other paths.
    """
    if is_utf8(file):
        yield file
        return
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{folder}", file.name)
    finally:
        os.close(folder)


def is_utf8(path: Path) -> bool:
    """Whether the bytes of `path` on disk are its text in UTF-8."""
    return os.fsencode(path) == str(path).encode(errors="replace")


@contextmanager
def mappable(file: Path) -> Iterator[Path]:
    """Yield `file`, or where its file system has no mmap the path of a copy in memory. Raises OSError."""
    with persistently(lambda: file.open("rb")) as source:
        try:
            mmap.mmap(source.fileno(), 1, access=mmap.ACCESS_READ).close()
        except OSError as error:
            if error.errno not in NO_MMAP:
                raise
        except ValueError:  # an empty file
            pass
        else:
            with utf8_path(file) as path:
                yield path
            return
        with os.fdopen(os.memfd_create(file.name), "wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            yield Path(f"/proc/self/fd/{copy.fileno()}")


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a hard link to the file `source`, or where that cannot be a copy of it."""
    target.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        copy_file(source, target)


def copy_file(source: Path, target: Path) -> None:
    """Copy the content of a file; each step is tried again by itself, as `persistently` does. Raises OSError."""
    with (
        by_name(lambda: source.open("rb"), source) as content,
        persistently(lambda: target.open("wb")) as copy,
    ):
        shutil.copyfileobj(content, copy, COPY_BLOCK_BYTES)


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes. Raises OSError."""
    with by_name(lambda: one.open("rb"), one) as first, by_name(lambda: other.open("rb"), other) as second:
        if os.path.sameopenfile(first.fileno(), second.fileno()):
            return True
        while (block := first.read(COPY_BLOCK_BYTES)) == second.read(COPY_BLOCK_BYTES):
            if not block:
                return True
    return False


def remove_tree(folder: Path) -> bool:
    """Delete `folder` with all that is in it, as far as possible; returns whether it is gone.

    A file that another process has open keeps its folder on some network file systems until that process closes it.
    """
    for pause_seconds in (*PAUSES_SECONDS, 1.5):
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            if not exists(folder):
                return True
        time.sleep(pause_seconds)
    return False

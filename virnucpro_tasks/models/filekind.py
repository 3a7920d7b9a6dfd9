"""Tells the kind of a downloaded file by its first bytes."""

from __future__ import annotations

import zipfile
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.system.file_operations import by_name, persistently

_HEAD_BYTES = 512
_LFS_POINTER = b"version https://git-lfs"
_HTML_STARTS = (b"<!doctype html", b"<html", b"<?xml")
_ZIP = b"PK\x03\x04"
_PICKLE_PROTOCOL = b"\x80"
_TAR_MAGIC, _TAR_OFFSET = b"ustar", 257
_SAFETENSORS_LENGTH_BYTES = 8


class FileKind(Enum):
    """File formats that can hold weights; OTHER is any other."""

    SAFETENSORS = "safetensors"
    TORCH_ZIP = "torch zip"
    TORCH_LEGACY = "torch pickle"
    OTHER = "other"


def open_file(path: Path) -> BinaryIO:
    """Open `path` for reading. Raises BundleError if it is not a regular file; does not block on a pipe."""
    try:
        if persistently(path.exists) and not (persistently(path.is_file) or persistently(path.is_dir)):
            raise BundleError("this is a pipe or a device", path=path, hint="name a file")
        return by_name(lambda: path.open("rb"), path)
    except OSError as error:
        raise BundleError(error.strerror or "cannot be read", path=path, hint="check the path") from None
    except ValueError as error:
        raise BundleError(str(error), path=path, hint="check the path") from None


def file_kind(path: Path) -> FileKind:
    """The kind of `path`. Raises BundleError for a failed download.

    That is: a missing or empty file, a git-LFS pointer, a web page, or a zip archive that is cut off.
    """
    with open_file(path) as handle:
        head = handle.read(_HEAD_BYTES)
    if not head:
        raise BundleError("the file is empty", path=path, hint="download it again")
    if head.startswith(_LFS_POINTER):
        raise BundleError(
            "this is a git-LFS pointer, not the file itself", path=path, hint="run 'git lfs pull' in that repository"
        )
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML_STARTS):
        raise BundleError("this is a web page, not the file itself", path=path, hint="download the raw file")
    if head.startswith(_ZIP):
        if not _is_whole_zip(path):
            raise BundleError("the file is cut off", path=path, hint="its download did not end; download it again")
        return FileKind.TORCH_ZIP
    if head[_SAFETENSORS_LENGTH_BYTES : _SAFETENSORS_LENGTH_BYTES + 1] == b"{":
        return FileKind.SAFETENSORS
    if head.startswith(_PICKLE_PROTOCOL) or head[_TAR_OFFSET:].startswith(_TAR_MAGIC):
        return FileKind.TORCH_LEGACY
    return FileKind.OTHER


def _is_whole_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return False

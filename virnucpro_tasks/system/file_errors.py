"""Errors of the file system by their number: what they mean, what to do, which say nothing against a job."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from errno import (
    EACCES,
    EAGAIN,
    EBADMSG,
    EBUSY,
    ECOMM,
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EDQUOT,
    EFBIG,
    EHOSTDOWN,
    EHOSTUNREACH,
    EILSEQ,
    EINTR,
    EINVAL,
    EIO,
    EKEYEXPIRED,
    EKEYREJECTED,
    EKEYREVOKED,
    EMFILE,
    EMLINK,
    ENAMETOOLONG,
    ENETDOWN,
    ENETUNREACH,
    ENFILE,
    ENOBUFS,
    ENODEV,
    ENOKEY,
    ENOLCK,
    ENOMEDIUM,
    ENOMEM,
    ENONET,
    ENOSPC,
    ENOSYS,
    ENOTCONN,
    ENOTSUP,
    ENXIO,
    EPERM,
    EPROTO,
    EREMOTEIO,
    EROFS,
    ESHUTDOWN,
    ESTALE,
    ETIMEDOUT,
    ETXTBSY,
    EUCLEAN,
    EXDEV,
)
from pathlib import Path

SPARE_INODES = 100

NO_INODES = "delete files, whatever their size"

_ADVICE: Mapping[str, tuple[int, ...]] = {
    "make room": (ENOSPC,),
    "make room, or have the quota raised": (EDQUOT,),
    "raise the limit to the size of files (ulimit -f), or use a file system that takes larger ones": (EFBIG,),
    "mount it writable": (EROFS,),
    "give that user the right to read and write there": (EACCES, EPERM),
    "check the disk, or the file server": (EIO, ENXIO, ENOMEDIUM),
    "have the file system checked": (EUCLEAN, EBADMSG),
    "mount it anew if this stays": (ESTALE,),
    "check the file server, and the network to it": (
        *(ETIMEDOUT, ENOTCONN, EHOSTDOWN, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ECONNRESET, ECONNABORTED),
        *(ECONNREFUSED, ESHUTDOWN, EREMOTEIO, ENONET, ECOMM, EPROTO),
    ),
    "renew the ticket of that user (kinit)": (EKEYEXPIRED, EKEYREVOKED, EKEYREJECTED, ENOKEY),
    "raise the limit to open files (ulimit -n)": (EMFILE,),
    "raise the host's limit to open files (sysctl fs.file-max)": (ENFILE,),
    "use a folder with a shorter name": (ENAMETOOLONG,),
    "use a folder with a plainer name": (EILSEQ,),
    "use another file system": (ENOLCK, ENOSYS, ENOTSUP, EINVAL, ENODEV, EMLINK, EXDEV),
    "another program uses it: try again": (EBUSY, ETXTBSY, EINTR),
    "try again; the limit to processes may be reached (ulimit -u)": (EAGAIN,),
    "give this host more memory": (ENOMEM, ENOBUFS),
}
"""Advice for each error number."""

_ADVICE_OF = {number: advice for advice, numbers in _ADVICE.items() for number in numbers}

STORE_ERROR_NUMBERS = frozenset(_ADVICE_OF)
"""Errors that say nothing against a job: a full, read-only, broken or poor file system, missing rights, a host at its
limits. A missing file, or a file where a folder should be, is not among them: that is damage to the job."""

_NETWORK = "check the file server, and the network to it"
PASSING_ERROR_NUMBERS = frozenset({*_ADVICE[_NETWORK], EIO, ESTALE, EBUSY, ETXTBSY, EINTR, EAGAIN})
"""Those of them that may pass although nobody does anything about them."""

_FOREIGN_NUMBER = re.compile(r"os error (\d+)")
"""Libraries written in Rust raise errors with the number of the system's error in the text alone."""

_FOREIGN_PATH = re.compile(r'at path "([^"]+)"')


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an operation on a file failed, as a part of a sentence, and what to do."""

    words: str
    advice: str


def error_number(error: BaseException) -> int | None:
    """The number of the system's error in `error`, also if a library has put it into words; None without any."""
    number = getattr(error, "errno", None)
    if number is None and (found := _FOREIGN_NUMBER.search(str(error))):
        number = int(found[1])
    return number if isinstance(number, int) else None


def cause_of(error: BaseException, place: Path | None = None) -> Cause:
    """Say why `error` was raised. `place` is the file or folder concerned, if the error itself does not name it."""
    number = error_number(error)
    if number is None:
        return Cause(str(error), "")
    words = os.strerror(number)
    advice = _ADVICE_OF.get(number, "")
    # What creates a file names it in its error; what writes to one does not.
    named = _named_in(error)
    spare = SPARE_INODES if named is not None else 0
    if number == ENOSPC and _inodes_are_used_up(named or place, spare=spare):
        return Cause(f"{words}: all inodes are in use, though bytes are free", NO_INODES)
    if number in (EDQUOT, EACCES, EPERM):
        return Cause(f"{words} for {_user()}", advice)
    return Cause(words, advice)


def _named_in(error: BaseException) -> Path | None:
    """The file that an error names, also if a library has put it into words."""
    named = getattr(error, "filename", None)
    if named is None and (found := _FOREIGN_PATH.search(str(error))):
        named = found[1]
    return Path(os.fsdecode(named)) if isinstance(named, str | bytes) else None


def _inodes_are_used_up(place: Path | None, *, spare: int) -> bool:
    """Whether the file system of `place`, or of the next folder above that is there, has room, but no inode.

    `spare` inodes may be free again, of temporary files that were deleted after the error.
    """
    for folder in (place, *place.parents) if place is not None else ():
        with suppress(OSError):
            found = os.statvfs(folder)
            return found.f_files > 0 and found.f_favail <= spare and found.f_bavail > 0
    return False


def _user() -> str:
    with suppress(KeyError, OSError):
        return f"user {pwd.getpwuid(os.geteuid()).pw_name}"
    return f"user id {os.geteuid()}"

"""Which errors are the store's: they say nothing against a job, and end when somebody has made room, or mounted it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from virnucpro_tasks.errors import StoreError

OF_THE_STORE = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
        *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EMFILE, errno.ENFILE),
    }
)
HINT = "make room, or mount it writable; then 'virnucpro resume' goes on"

_NUMBER_IN_WORDS = re.compile(r"os error (\d+)")


@contextmanager
def failures_of_the_store() -> Iterator[None]:
    """Raise StoreError for what is one; everything else as it is."""
    try:
        yield
    except OSError as error:
        if (failure := store_failure(error)) is not None:
            raise failure from error
        raise


def store_failure(error: BaseException) -> StoreError | None:
    """`error` as one of the store, or None if it is something else."""
    if isinstance(error, StoreError):
        return error
    number = getattr(error, "errno", None)
    if isinstance(error, SafetensorError) and (found := _NUMBER_IN_WORDS.search(str(error))):
        number = int(found[1])
    if not isinstance(error, OSError | SafetensorError) or number not in OF_THE_STORE:
        return None
    path = getattr(error, "filename", None)
    named = f" ({path})" if path else ""
    return StoreError(f"the store fails: {os.strerror(number)}{named}", hint=HINT)

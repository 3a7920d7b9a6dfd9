"""Reading the inputs that lie in a job's folder: errors of the file system there are not errors of the input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.system.files import as_store_error


@contextmanager
def reading_stored_inputs() -> Iterator[None]:
    """Raise InputErrors of the block that come from the file system as the errors that caused them."""
    try:
        yield
    except InputError as error:
        cause = error.__context__
        # Rights are those of the input itself, to which the job may have a hard link.
        if isinstance(cause, OSError) and not isinstance(cause, PermissionError) and as_store_error(cause) is not None:
            raise cause from None
        raise

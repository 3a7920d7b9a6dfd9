"""Errors of the file system under a job's inputs are the store's; what is wrong with an input stays an InputError."""

from __future__ import annotations

from errno import EACCES, EIO

import pytest

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.stored_inputs import reading_stored_inputs


def read(cause: Exception | None) -> None:
    with reading_stored_inputs():
        try:
            if cause is not None:
                raise cause
        except OSError:
            raise InputError("cannot be read", file="in.fa") from None
        raise InputError("cannot be read", file="in.fa")


def test_a_broken_disk_is_no_error_of_the_input() -> None:
    with pytest.raises(OSError, match="broken"):
        read(OSError(EIO, "broken"))


@pytest.mark.parametrize("cause", [None, PermissionError(EACCES, "not yours")])
def test_others_are(cause: Exception | None) -> None:
    with pytest.raises(InputError, match=r"in\.fa: cannot be read"):
        read(cause)

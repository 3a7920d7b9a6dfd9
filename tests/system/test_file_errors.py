"""The cause of an error of the file system is named: full of what, whose rights, which limit."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.system.file_errors import STORE_ERROR_NUMBERS, cause_of, error_number
from virnucpro_tasks.system.files import as_store_error, store_write_error


def error(number: int, place: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), place) if place else OSError(number, os.strerror(number))


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The numbers of the file system that `statvfs` reports, of every folder that exists."""
    numbers = {"f_files": 1_000, "f_favail": 0, "f_bavail": 7}

    def statvfs(place: Path) -> object:
        if str(place) not in ("/", "/work"):
            raise error(errno.ENOENT)
        return type("Found", (), numbers)

    monkeypatch.setattr(os, "statvfs", statvfs)
    return numbers


def test_a_full_table_of_inodes_is_told_from_a_full_disk(full: dict[str, int]) -> None:
    said = cause_of(error(errno.ENOSPC, "/data/new/folder"))
    assert said.words == "No space left on device: all inodes are in use, though bytes are free"
    assert said.advice == "delete files, whatever their size"
    assert cause_of(error(errno.ENOSPC), Path("/data/x")) == said
    # Temporary files may have been deleted meanwhile; what failed to write to a file did not lack an inode then.
    full["f_favail"] = 30
    assert cause_of(error(errno.ENOSPC, "/data/x")) == said
    assert cause_of(error(errno.ENOSPC), Path("/data/x")).advice == "make room"
    full |= {"f_bavail": 0, "f_favail": 0}
    assert cause_of(error(errno.ENOSPC, "/data/x")).words == "No space left on device"
    # Some file systems have no table of inodes, and say 0 of 0.
    full |= {"f_bavail": 7, "f_files": 0}
    assert cause_of(error(errno.ENOSPC, "/data/x")).advice == "make room"


@pytest.mark.parametrize(
    ("number", "words", "advice"),
    [
        (errno.EDQUOT, "Disk quota exceeded for user ", "quota raised"),
        (errno.EACCES, "Permission denied for user ", "the right to read and write"),
        (errno.EROFS, "Read-only file system", "mount it writable"),
        (errno.ESTALE, "Stale file handle", "mount it anew"),
        (errno.ENAMETOOLONG, "File name too long", "a shorter name"),
        (errno.EMFILE, "Too many open files", "ulimit -n"),
        (errno.ENFILE, "Too many open files in system", "fs.file-max"),
        (errno.EKEYEXPIRED, "Key has expired", "kinit"),
        (errno.ENOTCONN, "Transport endpoint is not connected", "file server"),
        (errno.EHOSTDOWN, "Host is down", "file server"),
        (errno.EUCLEAN, "Structure needs cleaning", "checked"),
    ],
)
def test_the_cause_and_what_to_do_are_named(number: int, words: str, advice: str) -> None:
    said = cause_of(error(number))
    assert said.words.startswith(words) and advice in said.advice


def test_the_user_is_the_one_that_the_file_system_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setattr(os, "geteuid", lambda: 4_242_424)
    assert cause_of(error(errno.EACCES)).words == "Permission denied for user id 4242424"


def test_the_same_words_reach_a_client_and_a_worker() -> None:
    client = store_write_error(error(errno.EDQUOT, "/data/jobs/x"), Path("/data"))
    worker = as_store_error(error(errno.EDQUOT, "/data/jobs/x"))
    assert isinstance(client, StoreError) and isinstance(worker, StoreError)
    words = cause_of(error(errno.EDQUOT)).words
    assert client.what == f"/data/jobs/x: {words}: the store does not take the job"
    assert worker.what == f"the store fails: {words} (/data/jobs/x)"
    assert "have the quota raised" in client.hint and "have the quota raised" in worker.hint


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EPIPE, errno.ENOEXEC])
def test_what_is_missing_or_of_another_kind_is_no_fault_of_the_store(number: int) -> None:
    assert as_store_error(error(number)) is None


@pytest.mark.parametrize("number", sorted(STORE_ERROR_NUMBERS))
def test_every_fault_of_the_store_comes_with_advice(number: int) -> None:
    assert cause_of(error(number)).advice


def test_a_number_in_the_words_of_a_library_counts() -> None:
    assert error_number(OSError("No such device (os error 19)")) == errno.ENODEV
    assert error_number(OSError("Corrupt snappy compressed data.")) is None
    assert as_store_error(OSError("Stale file handle (os error 116)")) is not None

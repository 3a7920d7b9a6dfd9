from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from threading import Event

import pytest

from virnucpro_tasks.models import file_state
from virnucpro_tasks.models.file_state import RACY_SECONDS, DigestCache, FileState, cache_folder, hash_file, state_of

LONG_AGO_NS = 10**9
NO_DIGEST = "0" * 64


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of digests of the test's own; all files count as large."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(file_state, "LARGE_BYTES", 0)
    return tmp_path / "cache" / "virnucpro" / "digests"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    return path


def later_ns() -> int:
    """A time at which what was just written counts as settled."""
    return time.time_ns() + int((RACY_SECONDS + 1) * 1e9)


def kept(file: Path) -> FileState:
    state = state_of(file)
    DigestCache().keep(file, state, NO_DIGEST, hashed_from_ns=later_ns())
    return state


def test_a_file_is_hashed_with_its_state(file: Path) -> None:
    assert hash_file(file, Event()) == (state_of(file), hashlib.sha256(b"weights").hexdigest())


def test_a_file_that_is_changed_while_it_is_hashed_has_no_digest(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter([state_of(file), FileState(0, 0, 7, 0, 0)])
    monkeypatch.setattr(FileState, "of", lambda _: next(states))
    assert hash_file(file, Event()) is None


def test_hashing_can_be_stopped(file: Path) -> None:
    stop = Event()
    stop.set()
    assert hash_file(file, stop) is None


def test_another_process_finds_the_digest_of_a_state(home: Path, file: Path) -> None:
    state = kept(file)
    assert DigestCache().find(file, state) == NO_DIGEST
    assert home.stat().st_mode & 0o777 == 0o700
    assert [entry.stat().st_mode & 0o777 for entry in home.iterdir()] == [0o600]


@pytest.mark.parametrize("change", ["content", "length", "times", "replaced"])
def test_a_file_that_was_changed_has_no_known_digest(home: Path, file: Path, change: str) -> None:
    before = file.stat()
    kept(file)
    if change == "replaced":
        (file.parent / "new").write_bytes(b"weights")
        (file.parent / "new").replace(file)
    elif change != "times":
        file.write_bytes(b"other!!" if change == "content" else b"more weights")
    # As by `cp -p` or `rsync`; the time of the change itself cannot be set.
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert DigestCache().find(file, state_of(file)) is None


def test_a_file_that_was_only_just_changed_is_not_kept(home: Path, file: Path) -> None:
    cache, state = DigestCache(), state_of(file)
    cache.keep(file, state, NO_DIGEST, hashed_from_ns=time.time_ns())
    assert cache.find(file, state) is None and not home.exists()


def test_small_files_are_known_to_this_process_alone(home: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_state, "LARGE_BYTES", 100)
    cache, state = DigestCache(), state_of(file)
    cache.keep(file, state, NO_DIGEST, hashed_from_ns=later_ns())
    assert cache.find(file, state) == NO_DIGEST and not home.exists()


def test_what_others_may_have_written_is_not_believed(home: Path, file: Path) -> None:
    state = kept(file)
    (entry,) = home.iterdir()
    entry.chmod(0o620)
    assert DigestCache().find(file, state) is None
    entry.chmod(0o600)
    home.chmod(0o770)
    assert DigestCache().find(file, state) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"state": 1}', b"\xff\x00"])
def test_a_damaged_entry_counts_for_nothing(home: Path, file: Path, content: bytes) -> None:
    state = kept(file)
    (entry,) = home.iterdir()
    entry.write_bytes(content)
    assert DigestCache().find(file, state) is None


def test_without_a_folder_of_digests_nothing_is_kept(home: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "cache").write_text("a file where the folder should be")
    assert DigestCache().find(file, kept(file)) is None


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"XDG_CACHE_HOME": "/scratch/me"}, Path("/scratch/me/virnucpro/digests")),
        ({"XDG_CACHE_HOME": "relative"}, Path("/home/me/.cache/virnucpro/digests")),
        ({}, Path("/home/me/.cache/virnucpro/digests")),
    ],
)
def test_the_folder_is_where_caches_of_this_user_are(
    environment: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder(environment) == folder
    monkeypatch.setattr(Path, "home", no_home)
    assert cache_folder({}) is None


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")

"""What a file system lacks is done without, and what it says wrongly is asked again."""

from __future__ import annotations

import errno
import itertools
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from virnucpro_tasks.system import file_operations
from virnucpro_tasks.system.file_operations import (
    by_name,
    create_empty,
    fsync,
    is_there,
    open_to_append,
    persistently,
    publish_once,
    remove_tree,
    rename_over,
    sync,
    temporary_beside,
)
from virnucpro_tasks.system.files import atomic_path, write_bytes, write_once


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_operations, "PAUSES_SECONDS", (0.0, 0.0, 0.0))


def failing(number: int, *, times: int = 1_000, then: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A function that raises an OSError so many times, and then does something."""
    left = [times]

    def function(*arguments: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise OSError(number, os.strerror(number), "/a/file")
        return then(*arguments, **options) if then is not None else None

    return function


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EBUSY, errno.ETXTBSY, errno.EINTR])
def test_what_may_pass_is_tried_again_a_bounded_number_of_times(number: int) -> None:
    assert persistently(failing(number, times=3, then=lambda: "done")) == "done"
    with pytest.raises(OSError, match=os.strerror(number)):
        persistently(failing(number, times=4))


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.ENOENT, errno.EACCES])
def test_what_stays_is_raised_at_once(number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)):
        persistently(failing(number, times=1))


def test_a_missing_file_is_asked_for_again_after_its_folder_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    # Given a file that another host has just made, and that appears here when the folder is read
    monkeypatch.setattr(file_operations, "read_anew", lambda folder: (folder / "file").write_bytes(b"vectors"))
    assert by_name(file.read_bytes, file) == b"vectors"
    file.unlink()
    assert is_there(file)


def test_a_file_that_is_missing_is_missing(tmp_path: Path) -> None:
    assert not is_there(tmp_path / "file")
    assert not is_there(tmp_path / "folder" / "file")
    with pytest.raises(FileNotFoundError):
        by_name((tmp_path / "file").read_bytes, tmp_path / "file")


def test_whether_a_file_is_there_is_not_guessed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "stat", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        is_there(tmp_path)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EBADF, errno.ENOTSUP])
def test_a_file_system_without_fsync_will_do(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(number))
    write_bytes(tmp_path / "file", b"content")
    sync(tmp_path)
    assert (tmp_path / "file").read_bytes() == b"content"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE])
def test_content_that_fsync_cannot_save_is_an_error(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        fsync(0)


def test_a_folder_that_cannot_be_opened_is_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", failing(errno.EACCES))
    sync(tmp_path)
    with pytest.raises(PermissionError):
        sync(tmp_path / "file")


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EROFS])
def test_a_file_whose_mode_cannot_be_changed_keeps_it(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fchmod", failing(number))
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_bytes(b"content")
        temporary.chmod(0o600)
    assert (tmp_path / "file").read_bytes() == b"content"


NO_LINKS = (errno.EACCES, errno.EPERM, errno.EINVAL, errno.EXDEV, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)


@pytest.mark.parametrize("number", NO_LINKS)
def test_without_hard_links_a_file_is_still_written_once(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", failing(number))
    write_once(tmp_path / "file", b"first")
    write_once(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_without_links_and_exclusive_creation_the_last_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = Path.open
    refuse = failing(errno.ENOTSUP)
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(
        Path, "open", lambda path, mode="r", **more: (refuse if "x" in mode else opening)(path, mode, **more)
    )
    for content in (b"first", b"second"):
        (tmp_path / "new").write_bytes(content)
        publish_once(tmp_path / "new", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"second"


def test_a_file_that_cannot_be_completed_is_not_left_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").write_bytes(b"content")
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(os, "fsync", failing(errno.EDQUOT))
    with pytest.raises(OSError, match="quota"):
        publish_once(tmp_path / "new", tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "final").write_bytes(b"old")
    (tmp_path / "new").write_bytes(b"new content")
    return tmp_path / "new"


def test_a_rename_whose_answer_was_lost_has_been_done(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def lost(source: Path, target: Path) -> None:
        replace(source, target)
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(Path, "replace", lost)
    rename_over(new, new.with_name("final"))
    assert new.with_name("final").read_bytes() == b"new content"


def test_a_file_that_vanished_before_it_was_renamed_is_an_error(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(source: Path, _: Path) -> None:
        source.unlink()
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(Path, "replace", gone)
    with pytest.raises(FileNotFoundError):
        rename_over(new, new.with_name("final"))
    assert new.with_name("final").read_bytes() == b"old"


def test_where_a_rename_replaces_nothing_the_old_file_is_deleted_before(
    new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def no_replacing(source: Path, target: Path) -> None:
        if target.exists():
            raise FileExistsError(errno.EEXIST, "File exists")
        replace(source, target)

    monkeypatch.setattr(Path, "replace", no_replacing)
    rename_over(new, new.with_name("final"))
    assert new.with_name("final").read_bytes() == b"new content"


def test_a_folder_that_somebody_deleted_is_made_again_but_not_the_ones_above_it(tmp_path: Path) -> None:
    create_empty(tmp_path / "embeddings" / "file")
    assert (tmp_path / "embeddings" / "file").read_bytes() == b""
    with open_to_append(tmp_path / "attempts" / "file") as handle:
        handle.write(b"line\n")
    assert (tmp_path / "attempts" / "file").read_bytes() == b"line\n"
    with pytest.raises(FileNotFoundError):
        create_empty(tmp_path / "removed job" / "embeddings" / "file")


def test_where_nothing_can_be_appended_it_is_written_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = Path.open
    refuse = failing(errno.EINVAL)
    monkeypatch.setattr(
        Path, "open", lambda path, mode="r", **more: (refuse if "a" in mode else opening)(path, mode, **more)
    )
    for line in (b"one\n", b"two\n"):
        with open_to_append(tmp_path / "file") as handle:
            handle.write(line)
    assert (tmp_path / "file").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("name", ["x" * 255, "ß" * 127, "漢" * 85, "run.json"])
def test_a_temporary_name_is_never_too_long_and_never_cut_within_a_character(name: str, tmp_path: Path) -> None:
    temporary = temporary_beside(tmp_path / name)
    assert len(os.fsencode(temporary.name)) <= 143
    temporary.name.encode("utf-8", errors="strict")
    write_bytes(tmp_path / name, b"content")
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_whether_memory_can_be_shared_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_operations.can_share_memory(tmp_path)
    assert not file_operations.can_share_memory(tmp_path / "none")
    monkeypatch.setattr(mmap, "mmap", failing(errno.ENODEV))
    assert not file_operations.can_share_memory(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_mapped_is_copied_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    with file_operations.mappable(file) as mapped:
        assert mapped == file
    monkeypatch.setattr(mmap, "mmap", failing(errno.ENODEV))
    with file_operations.mappable(file) as mapped:
        assert mapped != file and mapped.read_bytes() == b"weights"
    assert not mapped.exists()


@pytest.mark.parametrize("name", ["plain", "r\u00e9sultats", "a b\n"])
def test_a_path_in_utf8_is_used_as_it_is(name: str, tmp_path: Path) -> None:
    with file_operations.utf8_path(tmp_path / name / "file") as path:
        assert path == tmp_path / name / "file"


def test_a_file_in_a_folder_that_is_no_utf8_has_a_path_that_is(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    with file_operations.utf8_path(folder / "new") as path:
        assert str(path).isascii()
        path.write_bytes(b"written")
    assert (folder / "new").read_bytes() == b"written"
    assert not path.parent.exists()
    with file_operations.mappable(folder / "new") as path:
        assert str(path).isascii() and path.read_bytes() == b"written"


def test_a_file_is_copied_and_compared_although_every_other_handle_goes_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"results")
    opened, calls = Path.open, itertools.count()

    def every_other(*arguments: Any, **options: Any) -> Any:
        return opened(*arguments, **options) if next(calls) % 2 else failing(errno.ESTALE)()

    monkeypatch.setattr(Path, "open", every_other)
    file_operations.copy_file(source, target)
    assert file_operations.is_same_file(source, target)
    assert file_operations.is_same_file(source, source)
    monkeypatch.undo()
    target.write_bytes(b"result")
    assert not file_operations.is_same_file(source, target)


def test_a_folder_is_gone_or_said_not_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"")
    assert remove_tree(tmp_path / "one") and not (tmp_path / "one").exists()
    assert remove_tree(tmp_path / "one")
    # A server renames a file that is open, so that its folder is not empty.
    monkeypatch.setattr(os, "rmdir", failing(errno.ENOTEMPTY))
    assert not remove_tree(tmp_path / "two")

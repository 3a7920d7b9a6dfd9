from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from virnucpro_tasks.errors import StoreError
from virnucpro_tasks.jobs import store_id as module
from virnucpro_tasks.jobs.store_id import store_id
from virnucpro_tasks.paths import store_id_file


def test_it_is_made_once_and_differs_from_those_of_others(tmp_path: Path) -> None:
    first = store_id(tmp_path / "a" / "store")
    assert store_id(tmp_path / "a" / "store") == first != store_id(tmp_path / "b")
    # And other users of a group can read it, whatever is left is the file alone
    assert [file.name for file in (tmp_path / "b").iterdir()] == ["store-id"]
    assert stat.S_IMODE(store_id_file(tmp_path / "b").stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    umask = os.umask(0o022)
    os.umask(umask)
    return umask


def test_it_is_the_same_wherever_the_store_is_mounted(tmp_path: Path) -> None:
    first = store_id(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert store_id(tmp_path / "there") == first


def test_of_several_at_once_all_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(8)
    write = module.write_once

    def write_together(file: Path, content: bytes) -> None:
        together.wait(10)
        write(file, content)

    monkeypatch.setattr(module, "write_once", write_together)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(store_id(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    assert store_id(tmp_path) == store_id(tmp_path)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EINVAL, errno.EXDEV])
def test_without_hard_links_all_of_several_at_once_get_the_same(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(number, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    test_of_several_at_once_all_get_the_same(tmp_path, monkeypatch)


@pytest.mark.parametrize("content", [b"", b"0123\n", b"\xff" * 20])
def test_a_damaged_one_is_told(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITING_SECONDS", 0.0)
    store_id_file(tmp_path).write_bytes(content)
    with pytest.raises(StoreError, match="the id of the store is damaged"):
        store_id(tmp_path)


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=f"{tmp_path}/file"):
        store_id(tmp_path / "file" / "store")


def test_one_that_is_being_written_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_id_file(tmp_path).write_bytes(b"")
    monkeypatch.setattr("time.sleep", lambda _: store_id_file(tmp_path).write_bytes(b"0123456789abcdef0123\n"))
    assert store_id(tmp_path) == "0123456789abcdef0123"

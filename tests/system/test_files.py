from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from virnucpro_tasks.system.file_operations import link_or_copy
from virnucpro_tasks.system.files import atomic_path, write_json


def test_a_failed_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    final = tmp_path / "file.json"
    write_json(final, {"a": 1})
    before = final.read_bytes()
    with pytest.raises(RuntimeError), atomic_path(final) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert final.read_bytes() == before
    assert list(tmp_path.iterdir()) == [final]


def test_a_file_is_linked_on_one_file_system_and_copied_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, linked, copied = (tmp_path / name for name in ("source", "linked", "copied"))
    source.write_bytes(b"vectors")
    for target in (linked, copied):
        target.touch()
    link_or_copy(source, linked)
    assert linked.samefile(source)

    def elsewhere(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", elsewhere)
    link_or_copy(source, copied)
    assert copied.read_bytes() == b"vectors" and not copied.samefile(source)


@pytest.mark.parametrize("durable", [True, False])
def test_only_a_durable_file_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, durable: bool
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    final = tmp_path / "file"
    with atomic_path(final, durable=durable) as temporary:
        temporary.write_bytes(b"vectors")
    assert final.read_bytes() == b"vectors"
    assert synced == ([str(temporary), str(tmp_path)] if durable else [])

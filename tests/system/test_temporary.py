from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest

from virnucpro_tasks.system import temporary
from virnucpro_tasks.system.owners import Life, read_mark
from virnucpro_tasks.system.temporary import MARK_FILE, TemporaryFolder


def test_a_temporary_folder_says_who_made_it_and_is_removed_with_what_is_in_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    with TemporaryFolder("vnp-", parent=tmp_path) as folder:
        assert read_mark(folder / MARK_FILE).life is Life.RUNNING
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "link").symlink_to(outside)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside"]
    assert (outside / "file").exists()


def test_where_the_mark_cannot_be_written_the_folder_serves_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(temporary.Mark, "create", refuse)
    with TemporaryFolder("vnp-", parent=tmp_path) as folder:
        assert list(folder.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_for_temporary_files_another_one_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_is_writable() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none_is_writable)
    with TemporaryFolder("virnucpro-run-", otherwise=tmp_path / "store") as folder:
        assert folder.parent == tmp_path / "store"
    assert list((tmp_path / "store").iterdir()) == []
    with pytest.raises(FileNotFoundError), TemporaryFolder("virnucpro-run-"):
        pass

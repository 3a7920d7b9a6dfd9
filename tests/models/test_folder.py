from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_tasks.errors import OutputError
from virnucpro_tasks.models.folder import new_folder


def test_appears_complete(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "bundle"
    with new_folder(output) as folder:
        (folder / "part").mkdir()
        (folder / "part" / "file").write_text("content")
        assert not output.exists()
    assert (output / "part" / "file").read_text() == "content"
    assert list(output.parent.iterdir()) == [output]


def test_leaves_nothing_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), new_folder(tmp_path / "bundle") as folder:
        (folder / "file").write_text("half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_refuses_what_exists(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already"), new_folder(tmp_path):
        pass


def test_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"), new_folder(tmp_path / "file" / "bundle"):
        pass

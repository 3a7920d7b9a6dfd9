from __future__ import annotations

import signal
import subprocess
import sys
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


def test_a_rename_whose_answer_was_lost_has_been_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def lost(source: Path, target: Path) -> None:
        rename(source, target)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "rename", lost)
    with new_folder(tmp_path / "bundle") as folder:
        (folder / "file").write_text("content")
    assert (tmp_path / "bundle" / "file").read_text() == "content"


def test_leaves_nothing_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), new_folder(tmp_path / "bundle") as folder:
        (folder / "file").write_text("half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_killed_leaves_no_output(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from virnucpro_tasks.models.folder import new_folder\n"
        "with new_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'bundle.json').write_text('{}')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).resolve().parents[2]
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "bundle"], cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert all(left.name.startswith(".bundle.") for left in tmp_path.iterdir())
    with new_folder(tmp_path / "bundle") as folder:
        (folder / "file").write_text("second try")
    assert (tmp_path / "bundle" / "file").exists()


def test_output_that_appears_in_the_meantime_is_left_alone(tmp_path: Path) -> None:
    output = tmp_path / "bundle"
    with pytest.raises(OutputError, match="cannot be made"), new_folder(output):
        output.mkdir()
        (output / "file").write_text("of another process")
    assert [place.name for place in output.iterdir()] == ["file"]
    assert list(tmp_path.iterdir()) == [output]


def test_refuses_what_exists(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already"), new_folder(tmp_path):
        pass


def test_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"), new_folder(tmp_path / "file" / "bundle"):
        pass

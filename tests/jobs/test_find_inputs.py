from __future__ import annotations

import os
from pathlib import Path

import pytest

from virnucpro_tasks.errors import InputError, SettingsError
from virnucpro_tasks.jobs import find_inputs
from virnucpro_tasks.jobs.find_inputs import repeated_inputs, require_inputs


@pytest.fixture
def reads(tmp_path: Path) -> Path:
    file = tmp_path / "reads.fasta"
    file.write_text(">a\nACGT\n")
    return file


def test_all_missing_inputs_are_named_at_once(reads: Path, tmp_path: Path) -> None:
    missing = [tmp_path / name for name in ("a.fasta", "b.fasta")]
    with pytest.raises(InputError) as raised:
        require_inputs([missing[0], reads, missing[1]])
    assert str(raised.value) == f"{missing[0]}, {missing[1]}: No such file or directory"


def test_each_kind_of_error_has_its_files(reads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed.fasta"
    closed.touch()
    monkeypatch.setattr(find_inputs.os, "access", lambda path, _: path != closed)
    with pytest.raises(InputError) as raised:
        require_inputs([tmp_path / "none", tmp_path, closed, reads])
    message = str(raised.value)
    assert message.startswith(f"{tmp_path / 'none'}: No such file or directory; {tmp_path}: is a folder (give its")
    assert f"; {closed}: Permission denied" in message and str(reads) not in message


def test_of_many_missing_ones_some_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"9\.fa and 3 more: No such file"):
        require_inputs([tmp_path / f"{number}.fa" for number in range(13)])


def test_a_loop_of_links_and_a_name_that_is_too_long_are_errors_of_input(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path, words in ((loop, "Too many levels of symbolic links"), (tmp_path / ("x" * 300), "File name too long")):
        with pytest.raises(InputError, match=words):
            require_inputs([path])


def test_no_input_at_all_is_wrong_use() -> None:
    with pytest.raises(SettingsError, match="no input file"):
        require_inputs([])


def test_a_file_is_known_by_all_of_its_names(reads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, twin, copy = tmp_path / "link", tmp_path / "twin", tmp_path / "copy"
    link.symlink_to(reads)
    os.link(reads, twin)
    copy.write_bytes(reads.read_bytes())
    monkeypatch.chdir(tmp_path)
    given = [reads, link, twin, Path("reads.fasta"), copy]
    assert repeated_inputs(given) == [(reads, again) for again in (link, twin, Path("reads.fasta"))]
    require_inputs(given)


def test_a_pipe_and_standard_input_can_be_read_only_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    require_inputs([pipe])
    with pytest.raises(InputError, match="pipe: can be read only once"):
        require_inputs([pipe, tmp_path / "." / "pipe"])
    with pytest.raises(InputError, match="standard input: can be read only once"):
        require_inputs([Path("-"), Path("-")])

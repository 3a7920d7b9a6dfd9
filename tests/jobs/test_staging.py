from __future__ import annotations

import hashlib
import io
import os
import threading
import time
from pathlib import Path

import pytest

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.jobs.staging import STANDARD_INPUT, StagedInput, stage_inputs
from virnucpro_tasks.paths import JobPaths, new_job_id
from virnucpro_tasks.reads.inputs import ReadInput

CONTENT = b">a\nACGT\n"


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    paths = JobPaths.of(tmp_path / "store", new_job_id())
    paths.root.mkdir(parents=True)
    paths.make_folders()
    return paths


def staged(paths: JobPaths, *files: Path) -> tuple[StagedInput, ...]:
    return stage_inputs([ReadInput(file, str(file)) for file in files], paths)


def entry(name: Path | str) -> StagedInput:
    return StagedInput(str(name), len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def test_a_file_of_the_same_file_system_is_linked_also_through_a_symlink(tmp_path: Path, paths: JobPaths) -> None:
    reads, link = tmp_path / "reads.fasta", tmp_path / "link.fasta"
    reads.write_bytes(CONTENT)
    link.symlink_to(reads)
    assert staged(paths, reads, link) == (entry(reads), entry(link))
    assert paths.input(0).samefile(reads) and paths.input(1).samefile(reads)
    assert not paths.input(1).is_symlink()


def test_a_file_that_cannot_be_linked_is_copied(
    tmp_path: Path, paths: JobPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    reads = tmp_path / "reads.fasta"
    reads.write_bytes(CONTENT)
    monkeypatch.setattr(os, "link", refuse)
    assert staged(paths, reads) == (entry(reads),)
    assert paths.input(0).read_bytes() == CONTENT and not paths.input(0).samefile(reads)


def test_a_pipe_is_copied(tmp_path: Path, paths: JobPaths) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(CONTENT,))
    writer.start()
    assert staged(paths, pipe) == (entry(pipe),)
    writer.join()
    assert paths.input(0).read_bytes() == CONTENT


def test_standard_input_is_copied_once(paths: JobPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(CONTENT)))
    assert staged(paths, STANDARD_INPUT) == (entry("standard input"),)
    with pytest.raises(InputError, match="standard input: can be read only once"):
        staged(paths, STANDARD_INPUT, STANDARD_INPUT)


def test_standard_input_that_does_not_wait_is_read_to_its_end(paths: JobPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)

    def write_slowly() -> None:
        for byte in CONTENT:
            time.sleep(0.01)
            os.write(theirs, bytes([byte]))
        os.close(theirs)

    writer = threading.Thread(target=write_slowly)
    with os.fdopen(ours, encoding="ascii") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        writer.start()
        assert staged(paths, STANDARD_INPUT) == (entry("standard input"),)
    writer.join()


def test_standard_input_that_is_closed_is_told(paths: JobPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="standard input: it is closed"):
        staged(paths, STANDARD_INPUT)

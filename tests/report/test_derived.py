"""Files derived from tables and run.json."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import Any

import pytest

from virnucpro_tasks.report import derived
from virnucpro_tasks.report.derived import DerivedFile, write_derived


@pytest.fixture
def report() -> dict[str, Any]:
    return {"parameters": {"outputs": {"prefix": "S1_"}}, "sha256": {"records.tsv": "0"}, "times": {}}


def test_digests_of_files_that_tell_times_are_under_times(
    tmp_path: Path, report: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "TIMED_FILES", ("timed",))
    files = [DerivedFile("plain", lambda *_: b"p"), DerivedFile("timed", lambda *_: b"t")]
    write_derived(tmp_path, report, files)
    assert report["sha256"] == {"records.tsv": "0", "plain": hashlib.sha256(b"p").hexdigest()}
    assert report["times"] == {"sha256": {"timed": hashlib.sha256(b"t").hexdigest()}}
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"plain": b"p", "timed": b"t"}


def test_a_later_file_sees_the_digests_of_those_before(tmp_path: Path, report: dict[str, Any]) -> None:
    names = DerivedFile("names", lambda folder, found: ",".join(found["sha256"]).encode())
    write_derived(tmp_path, report, [DerivedFile("first", lambda *_: b""), names])
    assert (tmp_path / "names").read_bytes() == b"records.tsv,first"


def test_a_file_that_is_not_wanted_is_not_written(tmp_path: Path, report: dict[str, Any]) -> None:
    write_derived(tmp_path, report, [DerivedFile("none", lambda *_: b"", is_wanted=lambda _: False)])
    assert not list(tmp_path.iterdir()) and len(report["sha256"]) == 1


def test_a_table_that_the_file_system_loses_is_read_anew(tmp_path: Path, report: dict[str, Any]) -> None:
    failures = [OSError(errno.ESTALE, "Stale file handle")] * 2

    def content(folder: Path, found: dict[str, Any]) -> bytes:
        if failures:
            raise failures.pop()
        return b"whole"

    write_derived(tmp_path, report, [DerivedFile("page", content)])
    assert (tmp_path / "page").read_bytes() == b"whole"

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from virnucpro_tasks.models import jsonfile
from virnucpro_tasks.models.jsonfile import read_json


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": ' * 100_000, b"1" * 5_000, b"<html>", b"\x00" * 64],
    ids=["empty", "cut off", "bytes", "deep lists", "deep objects", "digits", "page", "zeros"],
)
def test_what_is_not_json(content: bytes, tmp_path: Path, refused: Callable) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    refused(file, read_json, file, hint="again")


def test_what_is_no_file(tmp_path: Path, refused: Callable) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("absent", "pipe", ".", "with\0zero", "n" * 300):
        refused(tmp_path / name, read_json, tmp_path / name, hint="again")


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"a": 1}')
    monkeypatch.setattr(jsonfile, "MAX_BYTES", 8)
    assert read_json(file, hint="again") == {"a": 1}
    monkeypatch.setattr(jsonfile, "MAX_BYTES", 7)
    assert "larger" in refused(file, read_json, file, hint="again").what

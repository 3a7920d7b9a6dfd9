from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from virnucpro_tasks.models import jsonfile
from virnucpro_tasks.models.jsonfile import read_json, read_struct


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


class Part(msgspec.Struct):
    width: int


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parts: list[Part] = []


def test_content_as_a_struct(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"name": "a", "parts": [{"width": 3, "height": 4}]}')
    assert read_struct(file, Whole, hint="again") == Whole("a", [Part(3)])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[]", "expected `object`, got `array`"),
        ("{}", "missing required field `name`"),
        ('{"name": 5}', "`$.name`"),
        ('{"name": "a", "parts": [{"width": 1.0}]}', "`$.parts[0].width`"),
        ('{"name": "a", "other": 1}', "unknown field `other`"),
        ('{"name": "a", "\\ud800": 1}', "surrogates not allowed"),
    ],
)
def test_the_entry_at_fault_is_named(text: str, part: str, tmp_path: Path, refused: Callable) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    assert part in refused(file, read_struct, file, Whole, hint="again").what

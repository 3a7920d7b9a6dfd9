from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.system.files import decode, read_checked, read_object, write_checked


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    b: int
    a: str


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    values: tuple[float | bool | None, ...]
    inner: Inner


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    text: str = ""


CONTENT = Content("caf\u00e9 \udcff", (1, 2.5, None, True), Inner(1, "x"))


def test_what_was_written_is_read_whatever_the_layout(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    write_checked(file, CONTENT)
    assert read_checked(file, Content) == CONTENT
    file.write_text(json.dumps(dict(reversed(json.loads(file.read_bytes()).items()))))
    assert read_checked(file, Content) == CONTENT


@pytest.mark.parametrize("changed", [{"name": "cafe"}, {"new": 1}, {"values": None}, {"sha256": "0" * 64}])
def test_other_fields_under_the_same_checksum_are_damage(tmp_path: Path, changed: dict[str, object]) -> None:
    file = tmp_path / "file.json"
    write_checked(file, CONTENT)
    file.write_text(json.dumps(json.loads(file.read_bytes()) | changed))
    with pytest.raises(DamagedError, match=r"file\.json is missing or damaged"):
        read_checked(file, Content)


def test_a_file_without_a_checksum_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text('{"number": 3}')
    assert read_checked(file, Kind) == Kind(3)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_object_is_damage(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    with pytest.raises(DamagedError):
        read_object(file)


def test_fields_have_the_declared_types(tmp_path: Path) -> None:
    assert decode({"number": 3}, Kind, path=tmp_path) == Kind(3)
    for wrong in (
        {"number": True},
        {"number": "3"},
        {"number": 3, "text": None},
        {"number": 3, "more": 1},
        {"number": 3, "\ud800": 1},
        {},
    ):
        with pytest.raises(DamagedError):
            decode(wrong, Kind, path=tmp_path)

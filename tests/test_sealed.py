from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from virnucpro_tasks.errors import DamagedError
from virnucpro_tasks.sealed import read_object, read_sealed, typed, write_sealed

CONTENT = {"name": "caf\u00e9 \udcff", "values": [1, 2.5, None, True], "inner": {"b": 1, "a": "x"}}


@dataclass(frozen=True, slots=True)
class Kind:
    number: int
    text: str = ""


def test_what_was_written_is_read_whatever_the_layout(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    write_sealed(file, CONTENT)
    assert read_sealed(file) == CONTENT
    file.write_text(json.dumps(dict(reversed(json.loads(file.read_bytes()).items()))))
    assert read_sealed(file) == CONTENT


@pytest.mark.parametrize(
    "changed", [CONTENT | {"name": "cafe"}, CONTENT | {"new": 1}, {"name": CONTENT["name"]}, {"sha256": "0" * 64}]
)
def test_other_fields_under_the_same_seal_are_damage(tmp_path: Path, changed: dict[str, object]) -> None:
    file = tmp_path / "file.json"
    write_sealed(file, CONTENT)
    file.write_text(json.dumps({"sha256": json.loads(file.read_bytes())["sha256"]} | changed))
    with pytest.raises(DamagedError, match=r"file\.json is missing or damaged"):
        read_sealed(file)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_object_is_damage(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    with pytest.raises(DamagedError):
        read_object(file)


def test_fields_have_the_types_of_the_dataclass() -> None:
    assert typed(Kind, {"number": 3}) == Kind(3)
    for wrong in ({"number": True}, {"number": "3"}, {"number": 3, "text": None}, {"number": 3, "more": 1}, {}):
        with pytest.raises(TypeError):
            typed(Kind, wrong)

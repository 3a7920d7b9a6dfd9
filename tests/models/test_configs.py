from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from virnucpro_tasks.models.bundle import read_bundle
from virnucpro_tasks.models.locate import demo_bundle

FILES = ("dnabert-s/config.json", "esm2/config.json", "head/config.json")
NUMBERS = [
    (file, name)
    for file in FILES
    for name, value in json.loads((demo_bundle().path / file).read_text()).items()
    if isinstance(value, int)
]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_bundle().path, tmp_path / "bundle"))


@pytest.mark.parametrize("value", [0, -1, 10**9, 10**400, 2.0, True, "3", None, [3], {}, float("nan")])
@pytest.mark.parametrize(("file", "name"), NUMBERS)
def test_sizes_out_of_bounds(file: str, name: str, value: object, copied: Path, refused: Callable) -> None:
    content = json.loads((copied / file).read_text())
    (copied / file).write_text(json.dumps(content | {name: value}))
    started = time.monotonic()
    assert name in refused(copied / file, read_bundle, copied).what
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "<html>", "[" * 100_000, '{"layers": 1'])
def test_other_content(file: str, text: str, copied: Path, refused: Callable) -> None:
    (copied / file).write_text(text)
    refused(copied / file, read_bundle, copied)


@pytest.mark.parametrize(
    ("file", "name"),
    [(FILES[0], "width"), (FILES[1], "width"), (FILES[2], "nucleotide_width"), (FILES[2], "protein_width")],
)
def test_widths_are_those_of_the_description(file: str, name: str, copied: Path, refused: Callable) -> None:
    content = json.loads((copied / file).read_text())
    (copied / file).write_text(json.dumps(content | {name: content[name] + 1}))
    assert "bundle.json says" in refused(copied / file, read_bundle, copied).what


def test_classes_in_another_order(copied: Path, refused: Callable) -> None:
    content = json.loads((copied / FILES[2]).read_text())
    (copied / FILES[2]).write_text(json.dumps(content | {"classes": ["virus", "others"]}))
    assert "others, virus" in refused(copied / FILES[2], read_bundle, copied).what


def test_a_head_of_another_kind_has_entries_of_its_own(copied: Path, refused: Callable) -> None:
    content = json.loads((copied / FILES[2]).read_text())
    del content["hidden"]
    (copied / FILES[2]).write_text(json.dumps(content | {"kind": "linear", "slope": 2}))
    read_bundle(copied)
    (copied / FILES[2]).write_text(json.dumps(content | {"hidden": 64, "slope": 2}))
    assert "slope" in refused(copied / FILES[2], read_bundle, copied).what

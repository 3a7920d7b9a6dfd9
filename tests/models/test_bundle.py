from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import MEMBER_FILES, read_bundle, verify_bundle
from virnucpro_tasks.models.locate import demo_bundle


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_bundle().path, tmp_path / "bundle"))


def test_digest_is_that_of_the_description(copied: Path) -> None:
    assert read_bundle(copied).digest == demo_bundle().digest


@pytest.mark.parametrize("name", MEMBER_FILES)
def test_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(BundleError, match=name):
        read_bundle(copied)


@pytest.mark.parametrize("name", MEMBER_FILES)
def test_changed_byte_is_found_and_named(copied: Path, name: str) -> None:
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(BundleError, match=name):
        verify_bundle(read_bundle(copied))


def test_unknown_entry_is_refused(copied: Path) -> None:
    content = json.loads((copied / "bundle.json").read_text())
    (copied / "bundle.json").write_text(json.dumps(content | {"colour": "blue"}))
    with pytest.raises(BundleError, match="colour"):
        read_bundle(copied)


def test_folder_without_description_tells_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="models convert"):
        read_bundle(tmp_path)

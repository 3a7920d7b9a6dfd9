"""A classifier tells its chunk length by name or digest; contradictions are refused, and trust is said to be needed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models import head_length as head_length_module
from virnucpro_tasks.models.head_length import (
    KnownHead,
    head_length,
    heads_known_here,
    known_heads,
    named_length,
)
from virnucpro_tasks.models.manifest import SUMS_FILE, read_manifest

CONTENT = b"a classifier"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
KNOWN = {DIGEST: KnownHead("head-500", 500)}


@pytest.fixture
def head(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        (tmp_path / name).write_bytes(CONTENT)
        return tmp_path / name

    return make


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("500_model.pth", 500),
        ("300_model.v2.pth", 300),
        ("300_Model_best.PTH", 300),
        ("0500_model (1).pth", 500),
        ("300_model", 300),
        ("model.pth", None),
        ("my_500_model.pth", None),
        ("500_models.pth", None),
        ("0_model.pth", None),
        ("-500_model.pth", None),
        ("99999999999_model.pth", None),
    ],
)
def test_a_name_tells_the_chunk_length(name: str, length: int | None) -> None:
    assert named_length(Path(name)) == length


def test_the_name_is_that_of_the_file_in_a_folder_and_of_the_target_of_a_link(
    head: Callable[[str], Path], tmp_path: Path
) -> None:
    file = head("500_model.pth")
    (tmp_path / "model.pth").symlink_to(file)
    (tmp_path / "300_model.pth").symlink_to(file)
    assert named_length(tmp_path / "model.pth") == 500
    with pytest.raises(BundleError, match=r"a link to 500_model\.pth, whose name tells another chunk length"):
        named_length(tmp_path / "300_model.pth")
    folder = tmp_path / "pulled"
    folder.mkdir()
    shutil.copy(file, folder / "300_model.pt")
    assert named_length(folder) == 300


@pytest.mark.parametrize(
    ("name", "stated", "known", "length", "warns"),
    [
        ("500_model.pth", None, {}, 500, False),
        ("500_model.pth", 500, {}, 500, False),
        ("500_model.pth", None, KNOWN, 500, False),
        ("model.pth", None, KNOWN, 500, False),
        ("model.pth", 500, KNOWN, 500, False),
        ("model.pth", 300, {}, 300, True),
        ("model.pth", 300, {"0" * 64: KnownHead("head-500", 500)}, 300, True),
    ],
)
def test_what_is_known_counts(
    name: str, stated: int | None, known: dict, length: int, warns: bool, head: Callable[[str], Path]
) -> None:
    found = head_length(head(name), stated, known)
    assert found.chunk_length == length
    assert bool(found.warning) == warns
    assert not warns or found.warning.startswith("model.pth: neither its name nor its SHA-256 tells")


@pytest.mark.parametrize(
    ("name", "stated", "known", "message"),
    [
        ("500_model.pth", 300, {}, "by its name this head was trained on chunks of 500 bases, not 300"),
        (
            "300_model.pth",
            None,
            KNOWN,
            "by its name it was trained on chunks of 300 bases, by its SHA-256 it is head-500",
        ),
        (
            "300_model.pth",
            300,
            KNOWN,
            "by its name it was trained on chunks of 300 bases, by its SHA-256 it is head-500",
        ),
        (
            "model.pth",
            300,
            KNOWN,
            "by its SHA-256 it is head-500: this head was trained on chunks of 500 bases, not 300",
        ),
        ("model.pth", None, {}, r"how long were the chunks .* \(give --chunk-length, 300 or 500"),
    ],
)
def test_contradictions_are_refused(
    name: str, stated: int | None, known: dict, message: str, head: Callable[[str], Path]
) -> None:
    with pytest.raises(BundleError, match=message):
        head_length(head(name), stated, known)


def test_digests_are_those_of_the_manifest_or_what_was_noted_when_a_file_was_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_manifest()
    assert known_heads(manifest) == {}  # nobody has told us the digests of the published heads
    folder = tmp_path / "head-500"
    folder.mkdir()
    (folder / SUMS_FILE).write_text(f"{DIGEST}  500_model.pth\n{'1' * 64}  other.pth\n")
    assert known_heads(manifest, downloads=tmp_path) == KNOWN
    assert heads_known_here(downloads=str(tmp_path)) == KNOWN
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    assert heads_known_here(downloads=None) == {}
    text = (Path(head_length_module.__file__).parent / "published.toml").read_text()
    entry = 'name = "300_model.pth"\n'
    (tmp_path / "mine.toml").write_text(text.replace(entry, f'{entry}sha256 = "{"2" * 64}"\n'))
    found = heads_known_here(tmp_path / "mine.toml", downloads=str(tmp_path))
    assert found == {**KNOWN, "2" * 64: KnownHead("head-300", 300)}

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.bundle import MEMBER_FILES, describe_bundle, read_bundle, read_description
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.verification import verify_bundle


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
    bundle = read_bundle(copied)
    content = bytearray((copied / name).read_bytes())
    for place in (0, len(content) // 2, len(content) - 1):
        (copied / name).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(BundleError, match=name):
            verify_bundle(bundle)
    (copied / name).write_bytes(content)
    verify_bundle(bundle)


def test_unknown_entry_is_refused(copied: Path) -> None:
    content = json.loads((copied / "bundle.json").read_text())
    (copied / "bundle.json").write_text(json.dumps(content | {"colour": "blue"}))
    with pytest.raises(BundleError, match="colour"):
        read_bundle(copied)


def described(**changes: Any) -> dict[str, Any]:
    return json.loads((demo_bundle().path / "bundle.json").read_text()) | changes


DIGESTS = described()["sha256"]
NO_NUMBER = [0, -1, 10**9, 2**63, 10**400, 1.5, True, None, "500", [500], {}, float("nan"), float("inf")]
NO_TEXT = ["", " ", 5, None, True, ["x"], {}, "two\nlines", "a\tb", "\x1b[31m", "\ud800", "\u202e"]


@pytest.mark.parametrize(
    "change",
    [
        *({name: value} for name in ("chunk_length", "nucleotide_width", "protein_width") for value in NO_NUMBER),
        *({name: value} for name in ("name", "nucleotide_model", "protein_model", "head") for value in NO_TEXT),
        *({"demonstration": value} for value in (0, 1, None, "true", [])),
        *({"precision": value} for value in ("fp8", "FP16", None, 16, ["fp16"], {})),
        *({"format_version": value} for value in (0, 2, True, 1.0, "1", None, [1])),
        *({"licences": value} for value in (None, [], "MIT", {"esm2": 5}, {"esm2": "a\nb"}, {"": "MIT"})),
        *({"sha256": value} for value in (None, [], "x", {}, list(DIGESTS), dict.fromkeys(DIGESTS, 5))),
        {"sha256": dict.fromkeys(DIGESTS, "")},
        {"sha256": dict.fromkeys(DIGESTS, "A" * 64)},
        {"sha256": dict.fromkeys(DIGESTS, "a" * 64 + "\n")},
        {"sha256": DIGESTS | {"../../etc/passwd": "a" * 64}},
        {"sha256": DIGESTS | {"/etc/passwd": "a" * 64}},
        {"sha256": {"../" + name: digest for name, digest in DIGESTS.items()}},
        {"sha256": {name: digest for name, digest in DIGESTS.items() if "tokenizer" not in name}},
    ],
    ids=lambda change: ascii(change)[:60],
)
def test_every_entry_is_checked(change: dict, copied: Path, refused: Callable) -> None:
    (copied / "bundle.json").write_text(json.dumps(described(**change)))
    refused(copied / "bundle.json", read_description, copied)


@pytest.mark.parametrize("entry", sorted(described()))
def test_absent_entry_is_named(entry: str, copied: Path, refused: Callable) -> None:
    content = described()
    del content[entry]
    (copied / "bundle.json").write_text(json.dumps(content))
    assert ("format version 1" if entry == "format_version" else entry) in refused(
        copied / "bundle.json", read_description, copied
    ).what


@pytest.mark.parametrize("text", ["", "null", "5", "[]", '"x"', "{", "<html>", "[" * 100_000, '{"name": "x"', "\x00"])
def test_what_is_no_description(text: str, copied: Path, refused: Callable) -> None:
    (copied / "bundle.json").write_text(text)
    refused(copied / "bundle.json", read_description, copied)


def test_cut_off_anywhere(copied: Path, refused: Callable) -> None:
    content = (copied / "bundle.json").read_bytes()
    for length in range(len(content.rstrip())):
        (copied / "bundle.json").write_bytes(content[:length])
        refused(copied / "bundle.json", read_description, copied)


def test_own_descriptions_are_held_to_the_same(copied: Path) -> None:
    facts = described()
    assert describe_bundle(copied, **facts).digest == demo_bundle().digest
    with pytest.raises(BundleError, match="chunk_length"):
        describe_bundle(copied, **facts | {"chunk_length": 0})


def test_the_digest_of_the_demonstration() -> None:
    """Jobs and results name the digest, so it must not change with the code that computes it."""
    assert demo_bundle().digest == "4cb250ea79b27d81ba635cb87f6ab78e0d542f8eb76f22c8377efa0e9e2b3508"


@pytest.mark.parametrize("name", ["absent", "with\0zero", "n" * 300, "file", "pipe", "folder"])
def test_what_is_no_bundle_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder" / "bundle.json").mkdir(parents=True)
    with pytest.raises(BundleError) as caught:
        read_bundle(tmp_path / name)
    assert caught.value.hint
    assert caught.value.path is not None


@pytest.mark.parametrize("name", MEMBER_FILES)
def test_folder_or_pipe_in_the_place_of_a_file(name: str, copied: Path) -> None:
    (copied / name).unlink()
    (copied / name).mkdir()
    with pytest.raises(BundleError, match=name):
        read_bundle(copied)
    (copied / name).rmdir()
    os.mkfifo(copied / name)
    with pytest.raises(BundleError, match=name):
        read_bundle(copied)


def test_a_read_only_folder_is_read_and_left_as_it_is(copied: Path) -> None:
    places = [copied, *copied.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    before = {place: place.stat().st_mtime_ns for place in places}
    verify_bundle(read_bundle(copied))
    assert {place: place.stat().st_mtime_ns for place in [copied, *copied.rglob("*")]} == before
    for place in places:
        place.chmod(0o755 if place.is_dir() else 0o644)


def test_folder_without_description_tells_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="models convert"):
        read_bundle(tmp_path)

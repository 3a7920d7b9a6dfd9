from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from virnucpro_tasks.errors import BundleError, SettingsError
from virnucpro_tasks.models.manifest import Manifest, read_manifest
from virnucpro_tasks.models.sizes import PUBLISHED_ESM2

DIGEST = "0" * 64
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text()


def example() -> dict[str, Any]:
    def model(part: str, name: str) -> dict[str, Any]:
        file = {"name": name, "url": f"https://example.org/{name}", "bytes": 1, "sha256": DIGEST}
        texts = {"title": "T", "page": "https://example.org", "licence": "MIT", "licence_from": "its page"}
        return {"part": part, "files": [file]} | texts

    models = {"n": model("dnabert-s", "n.bin"), "p": model("esm2", "p.pt"), "h": model("head", "h.pth")}
    bundles = {"all": {"dnabert": "n", "esm2": "p", "head": "h", "chunk_length": 500}}
    return {"format_version": 1, "models": models, "bundles": bundles}


def read(content: Any, folder: Path) -> Manifest:
    file = folder / "manifest.json"
    file.write_text(json.dumps(content))
    return read_manifest(file)


def test_the_shipped_manifest_has_what_the_published_heads_need() -> None:
    manifest = read_manifest()
    assert manifest.models_of("virnucpro-500") == ["dnabert-s", "esm2-3b", "head-500"]
    assert manifest.models_of("virnucpro-300") == ["dnabert-s", "esm2-3b", "head-300"]
    named = [file.name for model in manifest.models.values() if model.part == "esm2" for file in model.files]
    assert named == [f"esm2_{name}_UR50D.pt" for name, _ in PUBLISHED_ESM2.values()]
    assert all(file.url.startswith("https://") for model in manifest.models.values() for file in model.files)


def test_the_document_says_of_each_file_what_the_manifest_says() -> None:
    rows = {
        row[0]: row[1:]
        for row in re.findall(r"^\| `([^`|]+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \| `?([^`|]+)`? \|$", PAGE, re.MULTILINE)
    }
    manifest = read_manifest()
    expected = {
        f"{name}/{file.name}": (
            model.licence,
            "not known" if file.bytes is None else f"{file.bytes:,}",
            file.sha256 or "not known",
        )
        for name, model in manifest.models.items()
        for file in model.files
    }
    assert rows == expected
    assert all(model.page in PAGE for model in manifest.models.values())


def test_a_model_a_bundle_and_an_unknown_name(tmp_path: Path) -> None:
    manifest = read(example(), tmp_path)
    assert (manifest.models_of("all"), manifest.models_of("p")) == (["n", "p", "h"], ["p"])
    with pytest.raises(SettingsError, match=r"no 'x'.*all, n, p, h"):
        manifest.models_of("x")


def test_toml_is_read_like_json(tmp_path: Path) -> None:
    shipped = read_manifest()
    assert read(msgspec.to_builtins(shipped), tmp_path) == shipped
    file = tmp_path / "manifest.toml"
    file.write_text("\ufeffformat_version = 1\n[models]\n")
    assert read_manifest(file) == Manifest(format_version=1, models={})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format_version",), 2),
        (("more",), 1),
        (("models", "../n"), example()["models"]["n"]),
        (("models", "all"), example()["models"]["n"]),
        (("models", "n", "part"), "tokenizer"),
        (("models", "n", "licence"), "a\x1b[31mb"),
        (("models", "n", "files"), []),
        (("models", "n", "files"), example()["models"]["n"]["files"] * 2),
        (("models", "n", "page"), "javascript:alert(1)"),
        (("models", "n", "files", 0, "name"), "../../etc/passwd"),
        (("models", "n", "files", 0, "name"), ".partial"),
        (("models", "n", "files", 0, "name"), "SHA256SUMS"),
        (("models", "n", "files", 0, "url"), "file:///etc/passwd"),
        (("models", "n", "files", 0, "bytes"), -1),
        (("models", "n", "files", 0, "bytes"), None),
        (("models", "n", "files", 0, "sha256"), "0" * 63),
        (("bundles", "all", "esm2"), "n"),
        (("bundles", "all", "head"), "nobody"),
        (("bundles", "all", "chunk_length"), 0),
    ],
)
def test_a_manifest_that_cannot_be(path: tuple, value: Any, tmp_path: Path) -> None:
    content = example()
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(BundleError, match=r"manifest\.json: .*docs/models\.md"):
        read(content, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"x" * (2 << 20)])
@pytest.mark.parametrize("ending", ["json", "toml"])
def test_a_file_that_is_no_manifest(content: bytes, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"m.{ending}"
    file.write_bytes(content)
    with pytest.raises(BundleError, match="m\\."):
        read_manifest(file)


def test_no_manifest_at_all(tmp_path: Path) -> None:
    for place in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(BundleError, match=str(place)):
            read_manifest(place)

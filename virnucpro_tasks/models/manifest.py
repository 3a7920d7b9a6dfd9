"""The manifest of published files: where each model is to be had, its size, digest and licence, and what goes together.

The one that ships with the package is published.toml; another one of the same form, TOML or JSON, can be given instead.
Names of models and files become names of folders and files, and are therefore plain.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from virnucpro_tasks.errors import BundleError, SettingsError
from virnucpro_tasks.models.jsonfile import checked, read_limited

FORMAT_VERSION = 1
MOST_MANIFEST_BYTES = 1 << 20
SUMS_FILE = "SHA256SUMS"
"""Name of the file beside the files of a model that has their digests, as `sha256sum --check` reads it."""

_HINT = "see docs/models.md for the form of a manifest"

ModelName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}\Z")]
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")]
Address = Annotated[str, Meta(pattern=r"^https?://[!-~]+\Z")]
Size = Annotated[int, Meta(ge=1, le=1 << 50)]


class PublishedFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file to fetch. `sha256` (hex) and `bytes` are None where they are not known; then `most_bytes` limits it."""

    name: FileName
    url: Address
    bytes: Size | None = None
    most_bytes: Size | None = None
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")] | None = None

    def __post_init__(self) -> None:
        if self.bytes is None and self.most_bytes is None:
            raise ValueError(f"{self.name} needs bytes, or most_bytes if its size is not known")
        if self.name == SUMS_FILE:
            raise ValueError(f"no file can be named {SUMS_FILE}")

    @property
    def limit_bytes(self) -> int:
        """The size that the file has, or may have at most."""
        return self.bytes or self.most_bytes or 0


class PublishedModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model: the part of a bundle that it becomes, its page, and its licence as `licence_from` states it."""

    part: Literal["dnabert-s", "esm2", "head"]
    title: str
    page: Address
    licence: str
    licence_from: str
    files: Annotated[tuple[PublishedFile, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        names = [file.name for file in self.files]
        if len(set(names)) < len(names):
            raise ValueError("two files have one name")
        for text in (self.title, self.licence, self.licence_from):
            if not (text and text.isprintable()):
                raise ValueError("title, licence and licence_from must be printable text")

    def source(self, folder: Path) -> Path:
        """The path to give 'models convert' when the files are in `folder`: the only file, or the folder of several."""
        return folder / self.files[0].name if len(self.files) == 1 else folder


class Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The models of a bundle, by name, and the length of the chunks (bases) that its head was trained on."""

    dnabert: ModelName
    esm2: ModelName
    head: ModelName
    chunk_length: Annotated[int, Meta(ge=6)]

    @property
    def models(self) -> tuple[str, str, str]:
        return self.dnabert, self.esm2, self.head


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models and bundles by the names that 'models pull' takes."""

    format_version: Annotated[int, Meta(ge=FORMAT_VERSION, le=FORMAT_VERSION)]
    models: dict[ModelName, PublishedModel]
    bundles: dict[ModelName, Recipe] = {}

    def __post_init__(self) -> None:
        if both := sorted(set(self.models) & set(self.bundles)):
            raise ValueError(f"{both[0]} is a model and a bundle")
        for name, recipe in self.bundles.items():
            for model, part in zip(recipe.models, ("dnabert-s", "esm2", "head"), strict=True):
                if model not in self.models or self.models[model].part != part:
                    raise ValueError(f"bundle {name}: there is no {part} model {model}")

    def models_of(self, name: str) -> list[str]:
        """The models that `name`, a bundle or a model, consists of. Raises SettingsError for an unknown name."""
        if name in self.bundles:
            return list(self.bundles[name].models)
        if name in self.models:
            return [name]
        raise SettingsError(
            f"the manifest has no {name!r}", hint=f"it has {', '.join([*self.bundles, *self.models]) or 'nothing'}"
        )


def read_manifest(path: Path | None = None) -> Manifest:
    """Read the manifest `path`, JSON if its name ends so, or by default the shipped one. Raises BundleError."""
    if path is None:
        path = Path(str(files("virnucpro_tasks.models") / "published.toml"))
    content = read_limited(path, most_bytes=MOST_MANIFEST_BYTES, hint=_HINT)
    return checked(_parsed(content, path), Manifest, path=path, hint=_HINT)


def _parsed(content: bytes, path: Path) -> Any:
    try:
        return msgspec.json.decode(content) if path.suffix == ".json" else tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"it cannot be read ({' '.join(str(error).split())})", path=path, hint=_HINT) from None

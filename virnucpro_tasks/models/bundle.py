"""A model bundle: the folder with all models and parameters that scores depend on.

    bundle.json                         BundleDescription
    dnabert-s/config.json               sizes
    dnabert-s/model.safetensors         names as published, without prefix; no pooler, no language-model head
    dnabert-s/tokenizer.json            Hugging Face `tokenizers` file
    esm2/config.json                    sizes
    esm2/model.safetensors              names of the fair-esm module, without prefix; no heads
    head/config.json                    sizes, and the kind of head if it is not the published one
    head/model.safetensors              names of the published classifier, or those of its kind
    head/card.json                      only for heads of 'virnucpro train': training data, figures on unseen groups

A bundle without head/ holds encoders for 'virnucpro train'; it cannot score.
Reading a bundle's description imports no torch, so a client can pin its digest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.card import check_card, read_card
from virnucpro_tasks.models.configs import check_configurations
from virnucpro_tasks.models.demonstration import holds_demonstration
from virnucpro_tasks.models.jsonfile import checked, read_json
from virnucpro_tasks.models.sizes import Width
from virnucpro_tasks.system.file_operations import persistently
from virnucpro_tasks.system.files import file_sha256, write_json

DESCRIPTION_FILE = "bundle.json"
FORMAT_VERSION = 1
ENCODER_FILES = (
    "dnabert-s/config.json",
    "dnabert-s/model.safetensors",
    "dnabert-s/tokenizer.json",
    "esm2/config.json",
    "esm2/model.safetensors",
)
HEAD_FILES = ("head/config.json", "head/model.safetensors")
MEMBER_FILES = (*ENCODER_FILES, *HEAD_FILES)
CARD_FILE = "head/card.json"
NO_HEAD = "no head"
PRECISIONS = ("fp32", "fp16", "bf16")
LONGEST_CHUNK = 1_000_000

_TEXTS = ("name", "nucleotide_model", "protein_model", "head")
AGAIN = "copy or convert the bundle again"


class _Version(Struct):
    format_version: Annotated[int, Meta(ge=FORMAT_VERSION, le=FORMAT_VERSION)]


class BundleDescription(Struct, frozen=True, forbid_unknown_fields=True):
    """The content of bundle.json.

    `chunk_length` (bases) is the length the head was trained on, or without a head the default of `train`; `precision`
    is the one of jobs that name none; `nucleotide_width` and `protein_width` are the widths of vectors; `sha256` maps
    each member file to its hex digest. Texts are printable, because results show them.
    """

    name: str
    demonstration: bool
    chunk_length: Annotated[int, Meta(ge=1, le=LONGEST_CHUNK)]
    precision: Annotated[str, Meta(pattern=rf"^({'|'.join(PRECISIONS)})\Z")]
    nucleotide_model: str
    protein_model: str
    head: str
    nucleotide_width: Width
    protein_width: Width
    licences: dict[str, str]
    sha256: dict[str, Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]]
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        for name in _TEXTS:
            if not is_text(getattr(self, name)):
                raise ValueError(f"{name} must be printable text")
        if not all(map(is_text, [*self.licences, *self.licences.values()])):
            raise ValueError("licences must be printable text by part")
        if set(self.sha256) - {CARD_FILE} != set(MEMBER_FILES) and set(self.sha256) != set(ENCODER_FILES):
            raise ValueError("sha256 must list exactly the files of a bundle")

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the description, and so of the digests of all files."""
        return hashlib.sha256(json.dumps(msgspec.structs.asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def has_head(self) -> bool:
        """Whether the bundle can score; without a head it only embeds."""
        return HEAD_FILES[-1] in self.sha256

    @property
    def label(self) -> str:
        """The bundle's name in results; marked if it is a demonstration."""
        return f"{self.name} (DEMONSTRATION)" if self.demonstration else self.name


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on disk."""

    path: Path
    description: BundleDescription

    @property
    def digest(self) -> str:
        return self.description.digest


def read_bundle(path: Path) -> Bundle:
    """Read a bundle; check that every member file exists, the sizes, and that the head was fitted to these encoders.

    A bundle with weights of the shipped demonstration is marked as one. Digests are checked by `verification`.
    Raises BundleError naming the file at fault.
    """
    description = read_description(path)
    for name in description.sha256:
        if not _is_file(path / name):
            raise BundleError(f"{name} is missing", path=path, hint=AGAIN)
    check_configurations(
        path,
        nucleotide_width=description.nucleotide_width,
        protein_width=description.protein_width,
        has_head=description.has_head,
    )
    if CARD_FILE in description.sha256:
        check_card(
            path / CARD_FILE,
            read_card(path / CARD_FILE),
            chunk_length=description.chunk_length,
            sha256={name: description.sha256[name] for name in ENCODER_FILES},
        )
    if not description.demonstration and holds_demonstration(path):
        description = msgspec.structs.replace(description, demonstration=True)
    return Bundle(path, description)


def read_description(path: Path) -> BundleDescription:
    """Read and check bundle.json in the folder `path`, no other file. Raises BundleError."""
    file = path / DESCRIPTION_FILE
    if not _is_file(file):
        raise BundleError(
            "no bundle.json here",
            path=path,
            hint="'virnucpro models pull' or 'models convert' makes one of published files; demo is the shipped one",
        )
    content = read_json(file, hint=AGAIN)
    try:
        msgspec.convert(content, _Version)
    except (msgspec.ValidationError, UnicodeEncodeError):
        raise BundleError(
            f"this is not a bundle of format version {FORMAT_VERSION}", path=file, hint="convert it again"
        ) from None
    return checked(content, BundleDescription, path=file, hint=AGAIN)


def describe_bundle(path: Path, **facts: Any) -> Bundle:
    """Hash the member files under `path`, write bundle.json last, and return the bundle.

    It is marked as a demonstration if it has weights of the shipped one. Raises BundleError for a fact that does not
    fit BundleDescription.
    """
    optional = [name for name in (*HEAD_FILES, CARD_FILE) if (path / name).exists()]
    digests = {name: file_sha256(path / name) for name in (*ENCODER_FILES, *optional)}
    file = path / DESCRIPTION_FILE
    marks = {"sha256": digests, "demonstration": facts["demonstration"] or holds_demonstration(path)}
    description = checked(facts | marks, BundleDescription, path=file, hint=AGAIN)
    write_json(file, msgspec.structs.asdict(description))
    return Bundle(path, description)


def _is_file(path: Path) -> bool:
    try:
        return persistently(path.is_file)
    except OSError as error:
        raise BundleError(error.strerror or "cannot be read", path=path, hint="check the path") from None


def is_text(value: str) -> bool:
    """Whether `value` is printable and not blank, as every text in bundle.json must be."""
    return bool(value.strip()) and value.isprintable()

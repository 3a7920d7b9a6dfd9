"""A model bundle: one directory that holds everything a job's scores depend on.

    bundle.json                         what is written down here, as JSON
    dnabert-s/config.json               sizes
    dnabert-s/model.safetensors         names as published, without prefix; no pooler, no language-model head
    dnabert-s/tokenizer.json            Hugging Face `tokenizers` file
    esm2/config.json                    sizes
    esm2/model.safetensors              names of the fair-esm module, without prefix; no heads
    head/config.json                    sizes
    head/model.safetensors              names of the published classifier
    head/card.json                      only of heads that 'virnucpro train' made: data, figures on unseen groups

A bundle without head/ holds encoders for 'virnucpro train' to begin from; nothing can be scored with it.
Reading a bundle's description imports no torch, so a client can pin its digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.files import file_sha256, write_json
from virnucpro_tasks.models.card import check_card, read_card
from virnucpro_tasks.models.configs import check_configurations
from virnucpro_tasks.models.jsonfile import read_json

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
_LARGEST_NUMBERS = {"chunk_length": LONGEST_CHUNK, "nucleotide_width": 65_536, "protein_width": 65_536}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_AGAIN = "copy or convert the bundle again"


@dataclass(frozen=True, slots=True)
class BundleDescription:
    """The content of bundle.json.

    `chunk_length` (bases) is the length the head was trained on, or without a head what `train` cuts records into by
    default; `precision` the one used when a job names none; `nucleotide_width` and `protein_width` are the vector
    widths; `sha256` maps each member file to its hex digest.
    Texts are printable, because they stand beside every result. Raises BundleError for a value that cannot be.
    """

    name: str
    demonstration: bool
    chunk_length: int
    precision: str
    nucleotide_model: str
    protein_model: str
    head: str
    nucleotide_width: int
    protein_width: int
    licences: dict[str, str]
    sha256: dict[str, str]
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        for name in _TEXTS:
            _demand(is_text(getattr(self, name)), f"{name} must be printable text")
        for name, largest in _LARGEST_NUMBERS.items():
            value = getattr(self, name)
            _demand(type(value) is int and 1 <= value <= largest, f"{name} must be a whole number from 1 to {largest}")
        _demand(type(self.demonstration) is bool, "demonstration must be true or false")
        _demand(self.precision in PRECISIONS, f"precision must be one of {', '.join(PRECISIONS)}")
        _demand(_is_text_by_text(self.licences), "licences must be printable text by part")
        _demand(
            _is_text_by_text(self.sha256)
            and (set(self.sha256) - {CARD_FILE} == set(MEMBER_FILES) or set(self.sha256) == set(ENCODER_FILES)),
            "sha256 must list exactly the files of a bundle",
        )
        _demand(all(map(_DIGEST.fullmatch, self.sha256.values())), "a digest in sha256 is none")

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the description; it covers the digests of all files."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def has_head(self) -> bool:
        """Whether it can score, and not only embed."""
        return HEAD_FILES[-1] in self.sha256

    @property
    def label(self) -> str:
        """The bundle's name as written beside every result; says so when it is a demonstration."""
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
    """Read bundle.json, the sizes and the head's card; check that every member file is there and that the head was
    fitted to these encoders. `verify_bundle` checks digests.

    Raises BundleError naming the file at fault.
    """
    description = read_description(path)
    for name in description.sha256:
        if not _is_file(path / name):
            raise BundleError(f"{name} is missing", path=path, hint=_AGAIN)
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
    return Bundle(path, description)


def read_description(path: Path) -> BundleDescription:
    """Read `path`/bundle.json alone; the type and range of every entry are checked. Raises BundleError."""
    file = path / DESCRIPTION_FILE
    if not _is_file(file):
        raise BundleError(
            "no bundle.json here",
            path=path,
            hint="make a bundle with 'virnucpro models convert' or 'models demo'",
        )
    content = read_json(file, hint=_AGAIN)
    version = content.get("format_version") if isinstance(content, dict) else None
    if type(version) is not int or version != FORMAT_VERSION:
        raise BundleError(
            f"this is not a bundle of format version {FORMAT_VERSION}", path=file, hint="convert it again"
        )
    known = {field.name for field in fields(BundleDescription)}
    if strange := sorted(set(content) ^ known):
        raise BundleError(f"missing or unknown entries: {', '.join(map(repr, strange))}", path=file, hint=_AGAIN)
    try:
        return BundleDescription(**content)
    except BundleError as error:
        raise BundleError(error.what, path=file, hint=error.hint) from None


def verify_bundle(bundle: Bundle) -> None:
    """Hash every member file; raises BundleError naming the first that differs from bundle.json."""
    for name in bundle.description.sha256:
        try:
            digest = file_sha256(bundle.path / name)
        except OSError as error:
            raise BundleError(f"{name}: {error.strerror}", path=bundle.path, hint=_AGAIN) from None
        if digest != bundle.description.sha256[name]:
            raise BundleError(f"{name} differs from the digest in bundle.json", path=bundle.path, hint=_AGAIN)


def describe_bundle(path: Path, **facts: Any) -> Bundle:
    """Hash the member files under `path`, write bundle.json last, and return the bundle."""
    optional = [name for name in (*HEAD_FILES, CARD_FILE) if (path / name).exists()]
    digests = {name: file_sha256(path / name) for name in (*ENCODER_FILES, *optional)}
    description = BundleDescription(sha256=digests, **facts)
    write_json(path / DESCRIPTION_FILE, asdict(description))
    return Bundle(path, description)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise BundleError(error.strerror or "cannot be read", path=path, hint="check the path") from None


def is_text(value: object) -> bool:
    """Whether `value` is printable and not blank, as every text in bundle.json must be."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_text_by_text(value: object) -> bool:
    return isinstance(value, dict) and all(is_text(part) for pair in value.items() for part in pair)


def _demand(met: object, rule: str) -> None:
    if not met:
        raise BundleError(rule, hint=_AGAIN)

"""A model bundle: one directory that holds everything a job's scores depend on.

    bundle.json                         what is written down here, as JSON
    dnabert-s/config.json               sizes
    dnabert-s/model.safetensors         names as published, without prefix; no pooler, no language-model head
    dnabert-s/tokenizer.json            Hugging Face `tokenizers` file
    esm2/config.json                    sizes
    esm2/model.safetensors              names of the fair-esm module, without prefix; no heads
    head/config.json                    sizes
    head/model.safetensors              names of the published classifier

Reading a bundle's description imports no torch, so a client can pin its digest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from virnucpro_tasks.atomic import write_json
from virnucpro_tasks.errors import BundleError

DESCRIPTION_FILE = "bundle.json"
FORMAT_VERSION = 1
MEMBER_FILES = (
    "dnabert-s/config.json",
    "dnabert-s/model.safetensors",
    "dnabert-s/tokenizer.json",
    "esm2/config.json",
    "esm2/model.safetensors",
    "head/config.json",
    "head/model.safetensors",
)
PRECISIONS = ("fp32", "fp16", "bf16")
READ_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BundleDescription:
    """The content of bundle.json.

    `chunk_length` (bases) is the length the head was trained on; `precision` the one used when a job names none;
    `nucleotide_width` and `protein_width` are the vector widths; `sha256` maps each member file to its hex digest.
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
        if self.precision not in PRECISIONS:
            raise BundleError(
                f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}",
                hint="convert the bundle again",
            )
        if set(self.sha256) != set(MEMBER_FILES):
            raise BundleError("bundle.json does not list exactly the files of a bundle", hint="convert it again")

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the description; it covers the digests of all files."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

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
    """Read bundle.json and check that every member file is there; digests are checked by `verify_bundle`.

    Raises BundleError naming the file at fault.
    """
    description = read_description(path)
    for name in MEMBER_FILES:
        if not (path / name).is_file():
            raise BundleError(f"{name} is missing", path=path, hint="copy or convert the bundle again")
    return Bundle(path, description)


def read_description(path: Path) -> BundleDescription:
    """Read `path`/bundle.json alone. Raises BundleError."""
    file = path / DESCRIPTION_FILE
    try:
        content: Any = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise BundleError(
            "no bundle.json here",
            path=path,
            hint="make a bundle with 'virnucpro models convert' or 'models demo'",
        ) from None
    except (OSError, ValueError) as error:
        raise BundleError(f"bundle.json cannot be read: {error}", path=path) from None
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        raise BundleError(f"bundle.json is not of format version {FORMAT_VERSION}", path=path, hint="convert it again")
    known = {field.name for field in fields(BundleDescription)}
    if set(content) != known:
        raise BundleError(
            f"bundle.json has missing or unknown entries: {', '.join(sorted(set(content) ^ known))}",
            path=path,
        )
    return BundleDescription(**content)


def verify_bundle(bundle: Bundle) -> None:
    """Hash every member file; raises BundleError naming the first that differs from bundle.json."""
    for name in MEMBER_FILES:
        if file_sha256(bundle.path / name) != bundle.description.sha256[name]:
            raise BundleError(
                f"{name} differs from the digest in bundle.json",
                path=bundle.path,
                hint="copy or convert it again",
            )


def describe_bundle(path: Path, **facts: Any) -> Bundle:
    """Hash the member files under `path`, write bundle.json last, and return the bundle."""
    digests = {name: file_sha256(path / name) for name in MEMBER_FILES}
    description = BundleDescription(sha256=digests, **facts)
    write_json(path / DESCRIPTION_FILE, asdict(description))
    return Bundle(path, description)


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(READ_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()

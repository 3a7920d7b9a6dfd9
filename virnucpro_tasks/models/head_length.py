"""Tells how long the chunks were that a classifier was trained on: by its digest, by its name, or by what a user says.

The two published classifiers have the same shape, and nothing in their files tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from virnucpro_tasks.errors import BundleError, OutputError
from virnucpro_tasks.models.manifest import Manifest, read_manifest
from virnucpro_tasks.models.pull import default_folder, noted_digests
from virnucpro_tasks.models.weights import weight_file
from virnucpro_tasks.system.files import file_sha256

_NAMED = re.compile(r"0*([1-9][0-9]{0,8})_model(?![A-Za-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A classifier that a manifest lists, and the length of the chunks (bases) that it was trained on."""

    model: str
    chunk_length: int


KnownHeads = Mapping[str, KnownHead]
"""Classifiers by the SHA-256 (hex) of their files."""


@dataclass(frozen=True, slots=True)
class HeadLength:
    """A chunk length in bases, and a `warning` if nothing but the user's word speaks for it."""

    chunk_length: int
    warning: str = ""


def known_heads(manifest: Manifest, *, downloads: Path | None = None) -> dict[str, KnownHead]:
    """The classifiers of `manifest` by their digests.

    Those are the published ones; where a manifest has none, the one that 'models pull' noted when it fetched the file
    into the folder `downloads`.
    """
    found: dict[str, KnownHead] = {}
    lengths = {recipe.head: recipe.chunk_length for recipe in manifest.bundles.values()}
    for name, chunk_length in lengths.items():
        files = manifest.models[name].files
        noted = noted_digests(downloads / name) if downloads is not None else {}
        for digest in (file.sha256 or noted.get(file.name) for file in files if len(files) == 1):
            if digest:
                found[digest] = KnownHead(name, chunk_length)
    return found


def heads_known_here(manifest_file: Path | None = None, *, downloads: str | None) -> dict[str, KnownHead]:
    """The `known_heads` of a manifest (by default the shipped one) and of the folder of the setting `downloads`.

    Raises BundleError.
    """
    try:
        folder = Path(downloads) if downloads else default_folder()
    except OutputError:  # there is no home folder, and so nothing in it
        folder = None
    return known_heads(read_manifest(manifest_file), downloads=folder)


def named_length(head: Path) -> int | None:
    """The chunk length in the name of a classifier's file, as in 500_model.pth; of a link, also in that of its target.

    Raises BundleError if the two differ.
    """
    file = weight_file(head) if head.is_dir() else head
    found = {int(match[1]) for name in (file.name, file.resolve().name) if (match := _NAMED.match(name))}
    if len(found) > 1:
        raise BundleError(
            f"it is a link to {file.resolve().name}, whose name tells another chunk length",
            path=file,
            hint="name the file itself",
        )
    return found.pop() if found else None


def tells_length(head: Path, known: KnownHeads) -> bool:
    """Whether the name or the digest of a classifier tells its chunk length. Raises BundleError as `named_length`."""
    file = weight_file(head) if head.is_dir() else head
    return named_length(head) is not None or (bool(known) and file.is_file() and file_sha256(file) in known)


def head_length(head: Path, stated: int | None, known: KnownHeads, *, flag: str = "--chunk-length") -> HeadLength:
    """The chunk length of a classifier in a file without a card or a bundle; `stated` is what the user says by `flag`.

    Raises BundleError if what is known contradicts itself, or nothing is.
    """
    file = weight_file(head) if head.is_dir() else head
    named = named_length(head)
    published = known.get(file_sha256(file)) if known and file.is_file() else None
    if published is not None and named not in (None, published.chunk_length):
        raise BundleError(
            f"by its name it was trained on chunks of {named} bases, by its SHA-256 it is {published.model}, trained "
            f"on {published.chunk_length}",
            path=file,
            hint="give it its own name",
        )
    trained = named if published is None else published.chunk_length
    by = "by its name" if published is None else f"by its SHA-256 it is {published.model}:"
    if trained is not None and stated not in (None, trained):
        raise BundleError(
            f"{by} this head was trained on chunks of {trained} bases, not {stated}",
            path=file,
            hint=f"leave {flag} out" + (", or rename the file if its name is wrong" if named else ""),
        )
    if trained is not None:
        return HeadLength(trained)
    if stated is not None:
        return HeadLength(
            stated,
            f"{file.name}: neither its name nor its SHA-256 tells which classifier this is: that it was trained on "
            f"chunks of {stated} bases is taken on trust",
        )
    raise BundleError(
        "how long were the chunks that it was trained on?",
        path=file,
        hint=f"give {flag}, 300 or 500 as published; a file named 300_model.pth or 500_model.pth needs none",
    )

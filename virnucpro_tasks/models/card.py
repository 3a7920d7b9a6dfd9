"""Checks that a head goes with given encoders: its card names those that it was fitted to.

Vectors of other encoders mean nothing to a head, even if they have the same width. So the card keeps the digests of the
encoders' files and, for encoders converted to another file format or number type, a digest of their weights, which the
conversion does not change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.jsonfile import read_struct
from virnucpro_tasks.system.file_operations import mappable

ENCODERS = ("dnabert-s", "esm2")
_COMPUTED = "inv_freq"
"""Rotary frequencies are computed from the sizes; some files leave them out."""

_SHOWN = 12
_AGAIN = "copy or convert the bundle again"
_HINT = "give these encoders, or fit a head to yours with 'virnucpro train'"


class FittedHead(msgspec.Struct, frozen=True):
    """The head of a card; `chunk_length` is in bases."""

    chunk_length: int


class FittedEncoders(msgspec.Struct, frozen=True):
    """The encoders of a card: their names, the digests of their files, and of their weights by part."""

    sha256: dict[str, str]
    weights: dict[str, str] = {}
    nucleotide: Any = None
    protein: Any = None


class Card(msgspec.Struct, frozen=True):
    """The entries of card.json that tell what a head goes with; it has others."""

    head: FittedHead
    encoders: FittedEncoders


def weights_sha256(file: Path) -> str:
    """SHA-256 (hex) of the weights in a model.safetensors of a bundle: names, shapes and values rounded to FP16.

    It is the same for weights stored as FP32 and as FP16. Raises BundleError.
    """
    # Imported here: reading a bundle's description needs neither, and every process does that.
    import numpy as np
    from safetensors import SafetensorError, safe_open

    digest = hashlib.sha256()
    try:
        with mappable(file) as mapped, safe_open(mapped, framework="numpy") as stored:
            for name in sorted(stored.keys()):
                if name.endswith(_COMPUTED):
                    continue
                tensor = stored.get_tensor(name)
                with np.errstate(over="ignore"):
                    digest.update(f"{name} {tensor.shape} ".encode() + tensor.astype(np.float16).tobytes())
    except (SafetensorError, OSError) as error:
        raise BundleError(f"damaged safetensors ({error})", path=file, hint=_AGAIN) from None
    return digest.hexdigest()


def encoder_weights(folder: Path) -> dict[str, str]:
    """`weights_sha256` of both encoders of the bundle in `folder`, by part."""
    return {part: weights_sha256(folder / part / "model.safetensors") for part in ENCODERS}


def read_card(file: Path) -> Card:
    """Read a head's card. Raises BundleError if it does not say what the head was fitted to."""
    return read_struct(file, Card, hint=_AGAIN)


def check_card(file: Path, card: Card, *, chunk_length: int, sha256: Mapping[str, str]) -> None:
    """Raise BundleError unless the head was fitted to chunks of `chunk_length` and encoders of the digests `sha256`."""
    check_chunk_length(file, card, chunk_length)
    if other := [name for name, digest in sha256.items() if card.encoders.sha256.get(name) != digest]:
        raise BundleError(
            f"this head was fitted to other encoders: {other[0]} differs; {what_fits(card)}", path=file, hint=_HINT
        )


def check_chunk_length(file: Path, card: Card, chunk_length: int) -> None:
    """Raise BundleError unless the head was fitted to chunks of `chunk_length`."""
    if (fitted := card.head.chunk_length) != chunk_length:
        raise BundleError(
            f"this head was fitted to chunks of {fitted} bases, not {chunk_length}",
            path=file,
            hint=f"give chunk length {fitted}, or fit one with 'virnucpro train --chunk-length {chunk_length}'",
        )


def check_weights(file: Path, card: Card, weights: Mapping[str, str]) -> None:
    """Raise BundleError unless the head was fitted to encoders of these `encoder_weights`."""
    for part, digest in weights.items():
        if card.encoders.weights.get(part) != digest:
            raise BundleError(
                f"this head was fitted to other encoders: your {part} has weights {digest[:_SHOWN]}; {what_fits(card)}",
                path=file,
                hint=_HINT,
            )


def what_fits(card: Card) -> str:
    """The encoders that the head of `card` goes with, for a message."""
    names = (card.encoders.nucleotide, card.encoders.protein)
    weights = (card.encoders.weights.get(part, "not stated")[:_SHOWN] for part in ENCODERS)
    named = [f"{name} ({part}, weights {sha256})" for name, part, sha256 in zip(names, ENCODERS, weights, strict=True)]
    return f"it fits {' with '.join(named)}, chunks of {card.head.chunk_length}"

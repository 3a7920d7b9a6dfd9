"""What a head's card says of the encoders it was fitted to, and whether others will do.

A head knows only the vectors of its own encoders: another ESM-2 of the same width gives numbers of the same shape that
mean nothing to it. So the card keeps the digests of the encoders' files, and for encoders stored anew (another file
format or type) a digest of their weights, which is the same for all of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.jsonfile import read_json

ENCODERS = ("dnabert-s", "esm2")
_COMPUTED = "inv_freq"
"""Rotary frequencies follow from the sizes, and some files leave them out."""

_SHOWN = 12
_AGAIN = "copy or convert the bundle again"


def weights_sha256(file: Path) -> str:
    """SHA-256 (hex) of the weights in a model.safetensors of a bundle: names, shapes and values rounded to FP16.

    So it is the same whether they are stored as FP32 or FP16. Raises BundleError.
    """
    digest = hashlib.sha256()
    try:
        with safe_open(file, framework="numpy") as stored:
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


def read_card(file: Path) -> dict[str, Any]:
    """A head's card. Raises BundleError if it does not say what the head was fitted to."""
    card = read_json(file, hint=_AGAIN)
    try:
        encoders = card["encoders"]
        sound = (
            type(card["head"]["chunk_length"]) is int
            and isinstance(encoders["sha256"], dict)
            and isinstance(encoders.get("weights", {}), dict)
            and all(isinstance(digest, str) for digest in encoders.get("weights", {}).values())
        )
    except (KeyError, TypeError):
        sound = False
    if not sound:
        raise BundleError(
            "it does not say which encoders and chunk length its head was fitted to", path=file, hint=_AGAIN
        )
    return card


def check_card(file: Path, card: Mapping[str, Any], *, chunk_length: int, sha256: Mapping[str, str]) -> None:
    """Raise BundleError unless the head was fitted to chunks of `chunk_length` and encoders of the digests `sha256`."""
    check_chunk_length(file, card, chunk_length)
    fitted = card["encoders"]["sha256"]
    if strange := [name for name, digest in sha256.items() if fitted.get(name) != digest]:
        raise BundleError(
            f"this head was fitted to other encoders: {strange[0]} differs; {what_fits(card)}", path=file, hint=_hint()
        )


def check_chunk_length(file: Path, card: Mapping[str, Any], chunk_length: int) -> None:
    """Raise BundleError unless the head was fitted to chunks of `chunk_length`."""
    if (fitted := card["head"]["chunk_length"]) != chunk_length:
        raise BundleError(
            f"this head was fitted to chunks of {fitted} bases, not {chunk_length}",
            path=file,
            hint=f"give chunk length {fitted}, or fit one with 'virnucpro train --chunk-length {chunk_length}'",
        )


def check_weights(file: Path, card: Mapping[str, Any], weights: Mapping[str, str]) -> None:
    """Raise BundleError unless the head was fitted to encoders of these `encoder_weights`."""
    fitted = card["encoders"].get("weights", {})
    for part, digest in weights.items():
        if fitted.get(part) != digest:
            raise BundleError(
                f"this head was fitted to other encoders: your {part} has weights {digest[:_SHOWN]}; {what_fits(card)}",
                path=file,
                hint=_hint(),
            )


def what_fits(card: Mapping[str, Any]) -> str:
    """The encoders that the head of `card` goes with, for a message."""
    encoders = card["encoders"]
    weights = encoders.get("weights", {})
    named = [
        f"{encoders.get(name)} ({part}, weights {weights[part][:_SHOWN] if part in weights else 'not stated'})"
        for part, name in zip(ENCODERS, ("nucleotide", "protein"), strict=True)
    ]
    return f"it fits {' with '.join(named)}, chunks of {card['head']['chunk_length']}"


def _hint() -> str:
    return "give these encoders, or fit a head to yours with 'virnucpro train'"

"""The DNABERT-S tokenizer file: checked, and freed of what training left in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.filekind import file_kind
from virnucpro_tasks.models.jsonfile import read_json

BASES = "ACGT"
FIRST_TOKEN, LAST_TOKEN, UNKNOWN_TOKEN = "[CLS]", "[SEP]", "[UNK]"

_PIPELINE = {
    "normalizer": (None,),
    "pre_tokenizer": (None, "Whitespace", "WhitespaceSplit"),
    "model": ("BPE",),
    "post_processor": (None, "TemplateProcessing"),
}
"""What DNABERT-S uses. Others can write a sequence anew, to any length."""

_GIVEN_UP = "PanicException"
_PUBLISHED = "give the tokenizer.json published with DNABERT-S"


def read_tokenizer(path: Path, *, rows: int) -> Tokenizer:
    """A tokenizer.json with padding and truncation switched off; `rows` is the number of embedding rows.

    Raises BundleError if its pipeline is not that of DNABERT-S, if it does not put [CLS] before and [SEP] behind a
    sequence, does not know the four bases, or has more tokens than there are rows.
    """
    file_kind(path)
    content = _checked_pipeline(read_json(path, hint=_PUBLISHED), path)
    try:
        tokenizer = Tokenizer.from_str(json.dumps(content))
        frame = [tokenizer.token_to_id(FIRST_TOKEN), tokenizer.token_to_id(LAST_TOKEN)]
        unknown = tokenizer.token_to_id(UNKNOWN_TOKEN)
        empty, bases = tokenizer.encode("").ids, tokenizer.encode(BASES).ids
        tokens = max(tokenizer.get_vocab().values(), default=0) + 1
    # The library raises plain Exception for every kind of bad file, and its own BaseException where it gives up.
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != _GIVEN_UP:
            raise
        raise BundleError(f"this is not a tokenizer file ({error})", path=path, hint=_PUBLISHED) from None
    if None in frame or empty != frame or [bases[0], bases[-1]] != frame:
        raise BundleError(
            f"it does not put {FIRST_TOKEN} before and {LAST_TOKEN} behind a sequence", path=path, hint=_PUBLISHED
        )
    if unknown is None or unknown in bases or len(bases) == len(frame):
        raise BundleError(
            f"it does not know the letters {BASES}, or has no {UNKNOWN_TOKEN}", path=path, hint=_PUBLISHED
        )
    if tokens > rows:
        raise BundleError(f"it has {tokens} tokens, the model only {rows} embedding rows", path=path, hint=_PUBLISHED)
    return tokenizer


def _checked_pipeline(content: Any, path: Path) -> dict[str, Any]:
    """`content` without padding and truncation."""
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise BundleError("this is not a tokenizer file", path=path, hint=_PUBLISHED)
    for part, kinds in _PIPELINE.items():
        stated = content.get(part)
        kind = stated.get("type") if isinstance(stated, dict) else stated
        if kind not in kinds:
            raise BundleError(f"its {part} is not one of DNABERT-S", path=path, hint=_PUBLISHED)
    if content["model"].get("dropout"):
        raise BundleError("it drops merges at random, a leftover of training", path=path, hint=_PUBLISHED)
    return content | {"padding": None, "truncation": None}

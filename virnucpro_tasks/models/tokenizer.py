"""The tokenizer file of DNABERT-S: checked, and read without the padding and truncation that training left in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from tokenizers import Tokenizer

from virnucpro_tasks.errors import BundleError, counted
from virnucpro_tasks.models.filekind import file_kind
from virnucpro_tasks.models.jsonfile import checked, read_json

BASES = "ACGT"
FIRST_TOKEN, LAST_TOKEN, UNKNOWN_TOKEN = "[CLS]", "[SEP]", "[UNK]"

_RUST_PANIC = "PanicException"
_PUBLISHED = "give the tokenizer.json published with DNABERT-S"


class _Model(Struct):
    type: Literal["BPE"]
    dropout: float | None = None


class _PreTokenizer(Struct):
    type: Literal["Whitespace", "WhitespaceSplit"]


class _PostProcessor(Struct):
    type: Literal["TemplateProcessing"]


class _Pipeline(Struct):
    """The steps that DNABERT-S uses. Others could replace a sequence by another one of any length."""

    model: _Model
    normalizer: None = None
    pre_tokenizer: _PreTokenizer | None = None
    post_processor: _PostProcessor | None = None


def read_tokenizer(path: Path, *, rows: int) -> Tokenizer:
    """Read a tokenizer.json, padding and truncation switched off; `rows` is the number of embedding rows.

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
    # The library raises Exception itself for every kind of bad file, and a BaseException of its own if it panics.
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != _RUST_PANIC:
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
        raise BundleError(
            f"it has {counted(tokens, 'token')}, the model only {counted(rows, 'embedding row')}",
            path=path,
            hint=_PUBLISHED,
        )
    return tokenizer


def _checked_pipeline(content: Any, path: Path) -> dict[str, Any]:
    """`content` without padding and truncation. Raises BundleError if it is not the pipeline of DNABERT-S."""
    if checked(content, _Pipeline, path=path, hint=_PUBLISHED).model.dropout:
        raise BundleError("it drops merges at random, a leftover of training", path=path, hint=_PUBLISHED)
    return dict(content, padding=None, truncation=None)
